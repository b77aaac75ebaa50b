import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CancelledError,
  evaluate,
  inspect,
  type LanguageModel,
  load,
  type Method,
  type PipelineEvent,
  type QuantizeOptions,
  quantize,
  type QuantizeRun,
  type Scheme,
  UsageError,
} from "../../src/index.ts";
import { nativeAvailability } from "../../src/kernels/native/native-backend.ts";
import { chooseScheme } from "../../src/recipe/choose-scheme.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import { filesOf } from "../e2e/killed-runs.ts";
import { writeFirstBlock } from "../golden/first-block.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import {
  allMethods,
  baselineFor,
  everyScheme,
  type MethodCase,
  methodCases,
  needsText,
  optionsOf,
  recipeWith,
} from "./method-cases.ts";
import { objectiveOf, type Written } from "./method-objectives.ts";

/*
 * Every registered method, over schemes that it supports: all of them in `npm run test:thorough`,
 * else each in its turn. What it must keep to follows from what
 * it declares (`method-cases.ts`, `method-objectives.ts`): no method is named here but rounding to
 * nearest, the baseline.
 *
 * Objectives are measured on the first block of the built-in model, whose activations are those of
 * a trained one; bytes are compared on a tiny model with grouped queries and biases, which is wide
 * enough for blocks where the scheme has them.
 */

const windows = { samples: 8, window: 32 };
const brief = { steps: 4, iters: 4, epochs: 2, checkpointEvery: 1, gridPoints: 4 };
const longer = { steps: 6, iters: 32, epochs: 8 };
/** One step on all windows that changes next to nothing. */
const standstill = {
  epochs: 1,
  batch: windows.samples,
  learningRate: 1e-12,
  precision: "f32",
  loss: "cross-entropy",
};
const subjects = { trainedWidths: [128, 384], groupSizes: { trained: 64, tiny: 16 } };
const native = nativeAvailability();
const noNative = native.available ? "" : ` (threads were not tried: ${native.reason})`;
const calibration = new URL("../../builtin/text/calibration.txt", import.meta.url);

let folder = "";
let text = "";
let trained: LanguageModel;
let loud: LanguageModel;
let tiny: TinyCheckpoint;
let wide: TinyCheckpoint;
const wideConfig = {
  hidden_size: 256,
  intermediate_size: 512,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: 2,
};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-methods-"));
  text = join(folder, "text.txt");
  writeFileSync(text, readFileSync(calibration, "utf8").slice(0, 2000));
  const first = join(folder, "first-block");
  await writeFirstBlock(first);
  trained = await load(first);
  const outliers = join(folder, "first-block-loud");
  await writeFirstBlock(outliers, { weights: [3, 90], inputs: [17, 64] });
  loud = await load(outliers);
  tiny = await writeTinyCheckpoint({ modelCase: "llama-biases" });
  wide = await writeTinyCheckpoint({
    modelCase: "llama-biases",
    fitting: true,
    config: wideConfig,
  });
});
afterAll(async () => {
  trained.release();
  loud.release();
  await tiny.remove();
  await wide.remove();
  rmSync(folder, { recursive: true });
});

/** A recipe that is put together of what methods declare; the compiler cannot know its fields. */
type AnyRecipe = Readonly<Record<string, unknown>>;

/** Quantizes the tiny model, or another, to `out`. */
function quantizeTo(out: string, recipe: AnyRecipe, model = tiny.path): QuantizeRun {
  const options: object = { threads: 1, ...keptTables, ...recipe, out };
  return quantize(model, options as QuantizeOptions);
}

type Made = Pick<Written, "directory" | "record">;
const made = new Map<string, Promise<Made>>();

/** What a method is measured on: rotations are for columns that stand out, of which it has none. */
const subjectOf = ({ rotateModel }: Method): LanguageModel => (rotateModel ? loud : trained);

/** Quantizes a trained model, unless that was done already: many methods have one baseline. */
function trainedOnce(recipe: AnyRecipe, { directory }: LanguageModel): Promise<Made> {
  const key = JSON.stringify([recipe, directory]);
  const run =
    made.get(key) ??
    quantizeTo(newOutput(), recipe, directory).then(({ out, record }) => ({
      directory: out,
      record,
    }));
  made.set(key, run);
  return run;
}

/** Path of an output in a folder that holds nothing else. */
const newOutput = (): string => join(mkdtempSync(join(folder, "run-")), "out");

/** The recipe of a short run, with text where there must be some. */
function recipeOf(method: Method, scheme: Scheme): AnyRecipe {
  return withText(method, scheme, recipeWith(method, scheme, optionsOf(method, brief)));
}

function withText(method: Method, scheme: Scheme, recipe: AnyRecipe): AnyRecipe {
  return needsText(method, scheme) ? { ...recipe, ...windows, calibration: text } : recipe;
}

async function eventsOf({ events }: QuantizeRun): Promise<PipelineEvent[]> {
  const all: PipelineEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Loss of the windows that runs are given. */
async function lossOf(directory: string, backend?: "native" | "reference"): Promise<number> {
  const { samples: maxWindows, window } = windows;
  const options = { text, window, maxWindows, speedTokens: 0, ...(backend && { backend }) };
  return (await evaluate(directory, options)).loss.mean;
}

/** Whether something of the method's work is kept when this event comes. */
function isKept({ trainModel }: Method, event: PipelineEvent): boolean {
  return trainModel ? event.type === "step" && event.step === 2 : event.type === "block";
}

const cases = methodCases(subjects);

// Where it fails, `methodCases` has to take more schemes a method.
test("no value of a scheme is left out by turns", () => {
  const whole = methodCases(subjects, true);
  for (const list of ["measured", "compared"] as const) {
    const valuesIn = (of: readonly MethodCase[]) =>
      new Set(of.flatMap((each) => each[list]).flatMap(valuesOf));
    expect(valuesIn(cases)).toEqual(valuesIn(whole));
    for (const { method, [list]: schemes } of cases) expect(schemes, method.id).not.toEqual([]);
  }
});

/** What a scheme is made of. */
const valuesOf = ({ grid, groupSize, blocks, activation, sparse }: Scheme): string[] => [
  `grid ${grid.id}`,
  `groups ${groupSize !== null}`,
  `blocks ${blocks?.id}`,
  `sparse ${sparse}`,
  `activations ${activation?.bits} ${activation?.mode}`,
];

describe.each(cases.map((each) => ({ id: each.method.id, ...each })))("$id", (each) => {
  const { method, measured: advised, compared: schemes } = each;
  const objective = objectiveOf(method, method.options.parse({}));
  const baseline = method.role === "quantizer" ? "rounding to nearest" : "without it";

  test("supports some schemes without a caution", () => expect(advised.length).toBeGreaterThan(0));

  /** What the method gets to on the trained model, and its baseline. */
  const measured = async (scheme: Scheme): Promise<{ found: number; plain: number }> => {
    const options = optionsOf(method, longer);
    const measure = async (recipe: AnyRecipe): Promise<number> => {
      const original = subjectOf(method);
      const made = await trainedOnce(withText(method, scheme, recipe), original);
      return objective.measure({ ...made, original, text, windows });
    };
    const found = await measure(recipeWith(method, scheme, options));
    return { found, plain: await measure(baselineFor(method, scheme, options)) };
  };

  test.each(advised.map((scheme) => ({ name: scheme.id, scheme })))(
    `$name: no worse than ${baseline}, by ${objective.title}`,
    async ({ scheme }) => {
      const { found, plain } = await measured(scheme);
      expect(found).toBeLessThanOrEqual(plain);
    },
  );

  const options = optionsOf(method, longer);
  const isBaseline = advised.every((scheme) =>
    isDeepStrictEqual(recipeWith(method, scheme, options), baselineFor(method, scheme, options)),
  );
  test.skipIf(isBaseline)(`does something: it is better than ${baseline} somewhere`, async () => {
    for (const scheme of advised) {
      const { found, plain } = await measured(scheme);
      if (found < plain) return;
    }
    expect.fail("it is the same everywhere");
  });

  describe.each(schemes.map((scheme) => ({ name: scheme.id, scheme })))("$name", ({ scheme }) => {
    let recipe: AnyRecipe = {};
    let whole = "";
    let model = "";
    beforeAll(async () => {
      recipe = recipeOf(method, scheme);
      model = (scheme.blocks ? wide : tiny).path;
      whole = newOutput();
      await quantizeTo(whole, recipe, model);
    });

    test(`gives the same bytes again, and with 2 threads${noNative}`, async () => {
      const again = newOutput();
      await quantizeTo(again, { ...recipe, threads: 2 }, model);
      expect(filesOf(again)).toEqual(filesOf(whole));
    });

    test("gives the same bytes when it was interrupted and resumed", async () => {
      const out = newOutput();
      const controller = new AbortController();
      const first = quantizeTo(out, { ...recipe, signal: controller.signal }, model);
      for await (const event of first.events) if (isKept(method, event)) controller.abort();
      await expect(first).rejects.toThrow(CancelledError);
      const second = quantizeTo(out, recipe, model);
      await second;
      expect((await eventsOf(second)).map(({ type }) => type)).toContain("resumed");
      expect(filesOf(out)).toEqual(filesOf(whole));
      expect(readdirSync(dirname(out))).toEqual(["out"]);
    });

    // A method with a teacher trains on other losses beside that of the text.
    const trainsOnText =
      method.trainModel !== undefined &&
      !method.usesTeacher?.(method.options.parse(optionsOf(method, standstill)));
    test.runIf(trainsOnText)("what it writes has the loss that it was trained by", async () => {
      const out = newOutput();
      const options = optionsOf(method, standstill);
      const plain = withText(method, scheme, recipeWith(method, scheme, options));
      const run = quantizeTo(out, plain, model);
      const losses = (await eventsOf(run)).flatMap((of) => (of.type === "step" ? of.loss : []));
      expect(losses).toHaveLength(1);
      expect((await lossOf(out)) / losses[0]).toBeCloseTo(1, 3);
    });

    test("what it writes is loaded, and measures the same on every backend", async () => {
      const { quantization } = await inspect(whole);
      expect(Object.keys(quantization?.schemes ?? {})).toEqual([scheme.id]);
      const loss = await lossOf(whole, "reference");
      expect(loss).toBeGreaterThan(0);
      if (native.available) expect((await lossOf(whole, "native")) / loss).toBeCloseTo(1, 2);
    });
  });

  test("refuses every scheme that it does not support, before any work", async () => {
    const others = everyScheme(subjects.groupSizes.tiny).filter(
      // One that names no grid may stand for another.
      (scheme) => !method.supports(scheme) && chooseScheme(scheme.id, [method]).id === scheme.id,
    );
    for (const scheme of others) {
      const error = await refusal({ ...recipeOf(method, scheme), ...windows, calibration: text });
      expect(error.message).toContain(`${method.title} does not support the scheme ${scheme.id}`);
    }
  });

  test("refuses options that it does not have, before any work", async () => {
    const recipe = recipeWith(method, schemes[0], { "no such option": 1 });
    const error = await refusal({ ...recipe, ...windows, calibration: text });
    expect(error.message).toContain(method.id);
  });

  test("refuses to stand where it has no place, before any work", async () => {
    const others = allMethods.filter(({ role }) => role !== method.role);
    for (const { role } of others) {
      const misplaced = recipeWith({ ...method, role }, schemes[0], {});
      const error = await refusal({ ...misplaced, ...windows, calibration: text });
      expect(error.message).toContain(method.title);
    }
  });

  const needy = schemes.filter((scheme) => needsText(method, scheme) && !method.writesText);
  test.skipIf(needy.length === 0)("refuses to work without text where it needs some", async () => {
    for (const scheme of needy) {
      const error = await refusal(recipeWith(method, scheme, optionsOf(method, brief)));
      expect(error.message).toContain("needs calibration text");
    }
  });
});

/** The error of a recipe that must be refused with nothing written and nothing begun. */
async function refusal(recipe: AnyRecipe): Promise<UsageError> {
  const out = newOutput();
  const run = quantizeTo(out, recipe);
  const error = await run.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UsageError);
  expect(await eventsOf(run)).toEqual([]);
  expect(readdirSync(dirname(out))).toEqual([]);
  return error as UsageError;
}
