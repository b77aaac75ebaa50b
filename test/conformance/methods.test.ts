import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CancelledError,
  evaluate,
  inspect,
  type Method,
  type PipelineEvent,
  type QuantizeOptions,
  quantize,
  type QuantizeRun,
  type Scheme,
  UsageError,
} from "../../src/index.ts";
import { nativeAvailability } from "../../src/kernels/native/native-backend.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import {
  allMethods,
  allSchemes,
  briefly,
  needsText,
  recipeWith,
  schemesFor,
} from "./method-cases.ts";

const steps = 4;
const sizes = { samples: 4, window: 32 };
const native = nativeAvailability();
const noNative = native.available ? "" : ` (threads were not tried: ${native.reason})`;

let folder = "";
let text = "";
let tiny: TinyCheckpoint;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-methods-"));
  text = join(folder, "text.txt");
  const whole = fileURLToPath(new URL("../../builtin/text/calibration.txt", import.meta.url));
  writeFileSync(text, readFileSync(whole, "utf8").slice(0, 1000));
  // Grouped queries, and biases, which transforms change too.
  tiny = await writeTinyCheckpoint({ modelCase: "llama-biases" });
});
afterAll(async () => {
  await tiny.remove();
  rmSync(folder, { recursive: true });
});

/** A recipe that is put together of what methods declare; the compiler cannot know its fields. */
type AnyRecipe = Readonly<Record<string, unknown>>;

/** Quantizes the tiny model to `out`. */
function quantizeTo(out: string, recipe: AnyRecipe): QuantizeRun {
  const options: object = { threads: 1, ...recipe, out };
  return quantize(tiny.path, options as QuantizeOptions);
}

/** Path of an output in a folder that holds nothing else. */
const newOutput = (): string => join(mkdtempSync(join(folder, "run-")), "out");

/** The recipe of a case, with text where there must be. */
function recipeOf(method: Method, scheme: Scheme): AnyRecipe {
  const recipe = recipeWith(method, scheme, briefly(method, steps));
  return needsText(method, scheme) ? { ...recipe, ...sizes, calibration: text } : recipe;
}

/** Hashes of all files of an output but the run record, which holds times. */
function filesOf(out: string): Record<string, string> {
  const names = readdirSync(out).filter((name) => name !== "run.json");
  const hash = (name: string): string =>
    createHash("sha256")
      .update(readFileSync(join(out, name)))
      .digest("hex");
  return Object.fromEntries(names.map((name) => [name, hash(name)]));
}

async function eventsOf({ events }: QuantizeRun): Promise<PipelineEvent[]> {
  const all: PipelineEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Whether something of the method's work is kept when this event comes. */
function isKept({ trainModel }: Method, event: PipelineEvent): boolean {
  return trainModel ? event.type === "step" && event.step === 2 : event.type === "block";
}

describe.each(allMethods.map((method) => ({ id: method.id, method })))("$id", ({ method }) => {
  const schemes = schemesFor(method);

  test("it supports some schemes", () => expect(schemes.length).toBeGreaterThan(0));

  describe.each(schemes.map((scheme) => ({ name: scheme.id, scheme })))("$name", ({ scheme }) => {
    let recipe: AnyRecipe = {};
    let whole = "";
    beforeAll(async () => {
      recipe = recipeOf(method, scheme);
      whole = newOutput();
      await quantizeTo(whole, recipe);
    });

    test(`gives the same bytes again, and with 2 threads${noNative}`, async () => {
      const again = newOutput();
      await quantizeTo(again, { ...recipe, threads: 2 });
      expect(filesOf(again)).toEqual(filesOf(whole));
    });

    test("gives the same bytes when it was interrupted and resumed", async () => {
      const out = newOutput();
      const controller = new AbortController();
      const first = quantizeTo(out, { ...recipe, signal: controller.signal });
      for await (const event of first.events) if (isKept(method, event)) controller.abort();
      await expect(first).rejects.toThrow(CancelledError);
      const second = quantizeTo(out, recipe);
      await second;
      expect((await eventsOf(second)).map(({ type }) => type)).toContain("resumed");
      expect(filesOf(out)).toEqual(filesOf(whole));
      expect(readdirSync(dirname(out))).toEqual(["out"]);
    });

    test("what it writes is loaded, and measures the same on every backend", async () => {
      const { quantization } = await inspect(whole);
      expect(Object.keys(quantization?.schemes ?? {})).toEqual([scheme.id]);
      const measure = async (backend: "native" | "reference"): Promise<number> => {
        const options = { text, window: sizes.window, maxWindows: 2, speedTokens: 0, backend };
        return (await evaluate(whole, options)).loss.mean;
      };
      const loss = await measure("reference");
      expect(loss).toBeGreaterThan(0);
      if (native.available) expect((await measure("native")) / loss).toBeCloseTo(1, 2);
    });
  });

  test("refuses every scheme that it does not support, before any work", async () => {
    const others = allSchemes.filter((scheme) => !method.supports(scheme));
    for (const scheme of others) {
      const error = await refusal({ ...recipeOf(method, scheme), ...sizes, calibration: text });
      expect(error.message).toContain(`${method.title} does not support the scheme ${scheme.id}`);
    }
  });

  test("refuses options that it does not have, before any work", async () => {
    const recipe = recipeWith(method, schemes[0], { "no such option": 1 });
    const error = await refusal({ ...recipe, ...sizes, calibration: text });
    expect(error.message).toContain(method.id);
  });

  test("refuses to stand where it has no place, before any work", async () => {
    const others = allMethods.filter(({ role }) => role !== method.role);
    for (const { role } of others) {
      const misplaced = recipeWith({ ...method, role }, schemes[0], {});
      const error = await refusal({ ...misplaced, ...sizes, calibration: text });
      expect(error.message).toContain(method.title);
      expect(error.hint).toContain(method.id);
    }
  });

  const needy = schemes.filter((scheme) => needsText(method, scheme));
  test.skipIf(needy.length === 0)("refuses to work without text where it needs some", async () => {
    for (const scheme of needy) {
      const error = await refusal(recipeWith(method, scheme, briefly(method, steps)));
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
