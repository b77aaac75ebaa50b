import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CancelledError,
  evaluate,
  exportCheckpoint,
  type LanguageModel,
  load,
  type Method,
  quantize,
  type QuantizeOptions,
  type Scheme,
  train,
} from "../../src/index.ts";
import {
  architectures,
  findArchitecture,
  findLanguage,
  ggufFamilies,
  readModelConfig,
} from "../../src/models/index.ts";
import { rotationObstacle } from "../../src/models/decoder-rotation.ts";
import { filesOf } from "../e2e/killed-runs.ts";
import { modelCaseNames, readModelCase } from "../golden/model-cases.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import {
  allMethods,
  byWork,
  needsText,
  optionsOf,
  recipeWith,
  schemesFor,
} from "./method-cases.ts";
import { takeTurns } from "./spread.ts";

/*
 * Every family that is registered, as a checkpoint on the disk: read, quantized by a method of each
 * kind of work, in turn from family to family (by every method in `npm run test:thorough`), written
 * and read again. No family and no method is named here.
 */

const windows = { samples: 4, window: 24 };
/** Little training: the usual rates, for weights that were trained, are too much for drawn ones. */
const brief = {
  steps: 2,
  iters: 2,
  epochs: 1,
  checkpointEvery: 1,
  gridPoints: 3,
  learningRate: 1e-6,
};
/** One step on all windows that changes next to nothing. */
const standstill = {
  epochs: 1,
  batch: windows.samples,
  learningRate: 1e-12,
  precision: "f32",
  loss: "cross-entropy",
};
const calibration = new URL("../../builtin/text/calibration.txt", import.meta.url);

let folder = "";
let text = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-families-"));
  text = join(folder, "text.txt");
  writeFileSync(text, readFileSync(calibration, "utf8").slice(0, 400));
});
afterAll(() => rmSync(folder, { recursive: true }));

const newOutput = (): string => join(mkdtempSync(join(folder, "run-")), "out");

/** The scheme of the most bits that a method supports on floats. */
function finestScheme(method: Method): Scheme {
  const schemes = schemesFor(method, 16).filter(
    ({ activation, blocks }) => activation === null && blocks === null,
  );
  return schemes.reduce((best, scheme) => (scheme.grid.bits > best.grid.bits ? scheme : best));
}

async function logitsOf(model: LanguageModel, rows: readonly number[][]): Promise<Float32Array> {
  const hidden = model.hiddenStates(model.tokens(rows));
  return model.logits(hidden.reshape([rows.flat().length, model.config.hiddenSize])).read();
}

async function lossOf(path: string): Promise<number> {
  const { samples: maxWindows, window } = windows;
  return (await evaluate(path, { text, window, maxWindows, speedTokens: 0 })).loss.mean;
}

interface QuantizedBy {
  readonly out: string;
  /** Losses of the steps of a training. */
  readonly losses: readonly number[];
}

/** Quantizes a model by a method, whatever its role, with the options given. */
async function quantizeBy(
  method: Method,
  model: string,
  options: Record<string, unknown>,
): Promise<QuantizedBy> {
  const scheme = finestScheme(method);
  const recipe = recipeWith(method, scheme, options);
  const calibrated = needsText(method, scheme) ? { ...windows, calibration: text } : {};
  const out = newOutput();
  const asked: object = { threads: 1, ...recipe, ...calibrated, out };
  const run = quantize(model, asked as QuantizeOptions);
  const losses: number[] = [];
  for await (const event of run.events)
    if (event.type === "step") losses.push(...[event.loss].flat());
  await run;
  return { out, losses };
}

function expectClose(found: Float32Array, expected: Float32Array, room: number): void {
  expect(found.length).toBe(expected.length);
  const worst = found.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0);
  expect(worst).toBeLessThan(room);
}

const familyOf = (name: string): string => findArchitecture(readModelCase(name).config).modelType;

test("every family has golden models", () => {
  const known = new Set(modelCaseNames.map(familyOf));
  expect([...known].sort()).toEqual(architectures.map(({ modelType }) => modelType).sort());
});

test("every family is in the table of its page and among the features", () => {
  const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
  const [page, features] = [read("docs/models.md"), read("FEATURES.md")];
  const types = architectures.map(({ modelType }) => `\`${modelType}\``);
  expect(types.filter((type) => !page.includes(`(${type})`))).toEqual([]);
  expect(types.filter((type) => !features.includes(type))).toEqual([]);
  const files = ggufFamilies.map(({ gguf }) => `\`${gguf.architecture}\``);
  expect(files.filter((architecture) => !features.includes(architecture))).toEqual([]);
});

describe.each(modelCaseNames)("%s", (name) => {
  const golden = readModelCase(name);
  const { names } = readModelConfig(golden.config);

  test("a checkpoint of the whole model, or of the base model, has the golden logits", async () => {
    for (const prefix of ["", names.base]) {
      const checkpoint = await writeTinyCheckpoint({
        modelCase: name,
        rename: (tensor) => tensor.slice(tensor.startsWith(prefix) ? prefix.length : 0),
      });
      const model = await load(checkpoint.path);
      const logits = await logitsOf(
        model,
        golden.ids.map((row) => [...row]),
      );
      const vocabulary = model.config.vocabularySize;
      const last = golden.logits.at(-1)?.at(-1) ?? [];
      expectClose(logits.subarray(-vocabulary), Float32Array.from(last), 1e-3);
      model.release();
      await checkpoint.remove();
    }
  });
});

/** The first golden model of each family, and those whose blocks run several times. */
const first = architectures.map(({ modelType }) => {
  const name = modelCaseNames.find((each) => familyOf(each) === modelType);
  if (name === undefined) throw new Error(`no golden model of ${modelType}`);
  return name;
});
const repeated = modelCaseNames.filter(
  (name) => readModelConfig(readModelCase(name).config).blockRuns > 1,
);
const toTry = takeTurns<Method>(({ id }) => id);
const tried = [...first, ...repeated].map((name) => ({
  family: familyOf(name),
  name,
  methods: byWork().flatMap((alike) => toTry(alike)),
}));

test("every method is tried on some families", () => {
  const found = new Set(tried.flatMap(({ methods }) => methods));
  expect(found).toEqual(new Set(allMethods));
});

describe.each(tried)("the family $family, $name", ({ name, methods }) => {
  let checkpoint: TinyCheckpoint;
  let loss = 0;
  beforeAll(async () => {
    checkpoint = await writeTinyCheckpoint({ modelCase: name });
    loss = await lossOf(checkpoint.path);
  });
  afterAll(() => checkpoint.remove());

  test("trained further by next to nothing it is the same model", async () => {
    const out = newOutput();
    const data = { files: [text], window: windows.window, batch: 2 };
    const optimizer = { learningRate: 1e-12, weightDecay: 0 };
    await train({ from: checkpoint.path, data, optimizer, steps: 1, dtype: "f32" }, { out });
    expect(await lossOf(out)).toBeCloseTo(loss, 5);
  });

  const isKnownToLlama = findArchitecture(readModelCase(name).config).gguf !== null;
  test.skipIf(isKnownToLlama)("a mixture of llama.cpp is refused, before any work", async () => {
    const run = quantize(checkpoint.path, { out: newOutput(), method: "rtn", scheme: "Q4_K_M" });
    await expect(run).rejects.toThrow(/the mixture Q4_K_M is not known for models of/);
  });

  const transform = allMethods.find(({ role }) => role === "transform");
  test.runIf(transform)("a run that was interrupted ends with the same bytes", async () => {
    const recipe = {
      threads: 1,
      ...recipeWith(transform as Method, finestScheme(transform as Method), {}),
      ...windows,
      calibration: text,
    };
    const [whole, out] = [newOutput(), newOutput()];
    const started = (to: string, signal?: AbortSignal) => {
      const asked: object = { ...recipe, out: to, ...(signal && { signal }) };
      return quantize(checkpoint.path, asked as QuantizeOptions);
    };
    await started(whole);
    const controller = new AbortController();
    const first = started(out, controller.signal);
    for await (const event of first.events) if (event.type === "block") controller.abort();
    await expect(first).rejects.toThrow(CancelledError);
    await started(out);
    expect(filesOf(out)).toEqual(filesOf(whole));
  });

  describe.each(methods.map((method) => ({ id: method.id, method })))("$id", ({ method }) => {
    const { config } = readModelCase(name);
    const isFixed =
      findLanguage(config).composite !== null || rotationObstacle(readModelConfig(config)) !== null;
    const isRefused = method.rotateModel !== undefined && isFixed;
    test.runIf(isRefused)("is refused by name, before any work", async () => {
      const run = quantizeBy(method, checkpoint.path, optionsOf(method, brief));
      await expect(run).rejects.toThrow(`${method.title} cannot rotate this`);
    });

    test.skipIf(isRefused)(
      "what it writes is loaded, and decoded it is the same model",
      async () => {
        const { out } = await quantizeBy(method, checkpoint.path, optionsOf(method, brief));
        const found = await lossOf(out);
        expect(found).toBeGreaterThan(0);
        const { bits, inputScales } = finestScheme(method).grid;
        if (bits === 8 && !method.trainModel) expect(Math.abs(found - loss)).toBeLessThan(0.05);
        if (inputScales) return;
        const decoded = newOutput();
        await exportCheckpoint(out, { format: "hf", dtype: "f32", out: decoded });
        expect(await lossOf(decoded)).toBeCloseTo(found, 4);
      },
    );

    const trainsOnText =
      method.trainModel !== undefined &&
      !method.usesTeacher?.(method.options.parse(optionsOf(method, standstill)));
    test.runIf(trainsOnText)("what it writes has the loss that it was trained by", async () => {
      const options = optionsOf(method, standstill);
      const { out, losses } = await quantizeBy(method, checkpoint.path, options);
      expect((await lossOf(out)) / losses[0]).toBeCloseTo(1, 3);
    });
  });
});
