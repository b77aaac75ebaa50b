import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import type { Kernels } from "../../src/backend/kernels.ts";
import type { EvaluationWindow } from "../../src/calibration/windows.ts";
import { encodeContinuation } from "../../src/evaluation/tasks/encode-continuation.ts";
import { scoreContinuations } from "../../src/evaluation/tasks/score-continuations.ts";
import { evaluate, quantize } from "../../src/index.ts";
import {
  createNativeBackend,
  nativeAvailability,
} from "../../src/kernels/native/native-backend.ts";
import { createReferenceBackend, referenceKernels } from "../../src/kernels/reference/index.ts";
import type { LanguageModel } from "../../src/runtime/language-model.ts";
import { load } from "../../src/runtime/load.ts";
import { generateText } from "../../src/runtime/generate.ts";
import { UnsupportedError, UsageError } from "../../src/util/errors.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import { type TinyCheckpointOptions, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { subjects } from "./subjects.ts";

/*
 * Forward passes of integers alone, on golden models of llama-like families.
 */

const schemes = ["w8-narrowa8", "w8-narrowa8-static", "w8-narrowa8-integer"] as const;
const models = [
  "llama",
  "llama-biases",
  "llama-gelu",
  "llama-tied-multi-head",
  "llama-llama3-rope",
  "mistral-window",
  "qwen3",
] as const;
const ids = [5, 6, 7, 8, 9, 3, 4, 30, 31, 8, 12];
let folder = "";
let text = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fewbit-integers-"));
  text = join(folder, "text.txt");
  await writeFile(
    text,
    "A small wind went over the grass, and the grass did not mind. ".repeat(20),
  );
});
afterAll(() => rm(folder, { recursive: true }));

const made = new Map<string, Promise<string>>();

/** A golden model quantized, tables included; each is made once. */
function quantized(modelCase: string, scheme: string, tables = "w8-narrow"): Promise<string> {
  const key = [modelCase, scheme, tables].join("-");
  const known = made.get(key) ?? make(key, { modelCase }, scheme, tables);
  made.set(key, known);
  return known;
}

async function make(
  name: string,
  of: TinyCheckpointOptions,
  scheme: string,
  tables: string,
): Promise<string> {
  const original = await writeTinyCheckpoint(of);
  const out = join(folder, name);
  const ends = tables === "none" ? keptTables : { embedding: tables, head: tables };
  const calibration = scheme.includes("a8-")
    ? { calibration: { files: [{ path: text }], samples: 8, window: 32 } }
    : {};
  const backend = "reference";
  await quantize(original.path, { method: "rtn", scheme, out, backend, ...ends, ...calibration });
  await original.remove();
  return out;
}

/** A reference backend that notes each tensor and number that its ops are given. */
function recordingBackend(): {
  readonly backend: Backend;
  readonly ops: Set<string>;
  readonly floats: Set<string>;
} {
  const [ops, floats] = [new Set<string>(), new Set<string>()];
  const kernels = Object.entries(referenceKernels).map(([name, run]) => {
    const noting = (...args: readonly unknown[]): void => {
      ops.add(name);
      for (const found of floatsIn(args)) floats.add(`${name}: ${found}`);
      (run as (...all: readonly unknown[]) => void)(...args);
    };
    return [name, noting];
  });
  const noted = Object.fromEntries(kernels) as unknown as Kernels;
  return { backend: { ...createReferenceBackend(), kernels: noted }, ops, floats };
}

/** Float tensors, float arrays and numbers that are no integers, anywhere in a value. */
function floatsIn(value: unknown): string[] {
  if (typeof value === "number") return Number.isSafeInteger(value) ? [] : [String(value)];
  if (value instanceof Float32Array || value instanceof Float64Array) return ["an array"];
  if (ArrayBuffer.isView(value) || typeof value !== "object" || value === null) return [];
  if ("storage" in value && "dtype" in value) {
    return /^[iu]\d/.test(String(value.dtype)) ? [] : [`a tensor of ${String(value.dtype)}`];
  }
  return Object.values(value).flatMap(floatsIn);
}

/** Logits of a text as integers, in one pass. */
async function integerLogits(path: string, backend: Backend): Promise<number[]> {
  const model = await load(path, { backend, integerOnly: true });
  const hidden = model.hiddenStates(model.tokens([ids]));
  const rows = hidden.reshape([ids.length, model.config.hiddenSize]);
  return Array.from(await model.logits(rows).read());
}

describe("a forward pass without floats", () => {
  test.each(models.flatMap((model) => schemes.map((scheme) => [model, scheme] as const)))(
    "%s as %s: no op between token ids and logits has a float",
    async (modelCase, scheme) => {
      const { backend, ops, floats } = recordingBackend();
      const path = await quantized(modelCase, scheme);
      const model = await load(path, { backend, integerOnly: true });
      ops.clear();
      floats.clear();
      const hidden = model.hiddenStates(model.tokens([ids]));
      model.logits(hidden.reshape([ids.length, model.config.hiddenSize]));
      expect(ops).toContain("integerAttention");
      expect([...floats]).toEqual(["integerToFloat: a tensor of f32", expect.any(String)]);
      expect(ops.has("attention") || ops.has("rmsNorm") || ops.has("matmul")).toBe(false);
    },
  );

  test("the recording notices a model that computes with floats", async () => {
    const { backend, floats } = recordingBackend();
    const model = await load(await quantized("llama", "w8-narrowa8"), { backend });
    floats.clear();
    model.hiddenStates(model.tokens([ids]));
    expect([...floats]).toContain("rmsNorm: a tensor of f32");
  });

  test.each(models.flatMap((model) => schemes.map((scheme) => [model, scheme] as const)))(
    "%s as %s: logits are near those with floats between the layers",
    async (modelCase, scheme) => {
      const path = await quantized(modelCase, scheme);
      const backend = createReferenceBackend();
      const model = await load(path, { backend });
      const hidden = model.hiddenStates(model.tokens([ids]));
      const rows = hidden.reshape([ids.length, model.config.hiddenSize]);
      const floats = await model.logits(rows).read();
      const integers = await integerLogits(path, backend);
      let [error, size] = [0, 0];
      for (const [i, value] of floats.entries()) {
        error += (integers[i] - value) ** 2;
        size += value ** 2;
      }
      expect(Math.sqrt(error / size)).toBeLessThan(0.08);
    },
  );

  test("a token at a time over an 8-bit cache gives the integers of one pass", async () => {
    for (const modelCase of ["llama", "mistral-window", "qwen3"] as const) {
      const path = await quantized(modelCase, "w8-narrowa8-integer");
      const backend = createReferenceBackend();
      const whole = await integerLogits(path, backend);
      const model = await load(path, { backend, integerOnly: true });
      const cache = model.newCache(ids.length);
      expect(cache.dtype).toBe("i8");
      const single: number[] = [];
      for (const id of ids) {
        const hidden = model.hiddenStates(model.tokens([[id]]), { cache });
        const row = hidden.reshape([1, model.config.hiddenSize]);
        single.push(...(await model.logits(row).read()));
      }
      expect(single).toEqual(whole);
    }
  });

  test("continues a text", async () => {
    const backend = createReferenceBackend();
    const path = await quantized("llama", "w8-narrowa8");
    const model = await load(path, { backend, integerOnly: true });
    const { tokens, stats } = await generateText(model, { prompt: ids, maxTokens: 6 });
    expect(tokens).toHaveLength(stats.generatedTokens);
    expect(stats.kvCache).toBe("i8");
  });
});

describe("evaluation without floats", () => {
  test("says so, and is near the evaluation with floats", async () => {
    const path = await quantized("llama", "w8-narrowa8");
    const how = { text, window: 32, maxWindows: 3, speedTokens: 0, backend: "reference" } as const;
    const floats = await evaluate(path, how);
    const integers = await evaluate(path, { ...how, integerOnly: true });
    expect(integers.integerOnly).toBe(true);
    expect(floats.integerOnly).toBeUndefined();
    expect(Math.abs(integers.loss.mean - floats.loss.mean)).toBeLessThan(0.01);
  });

  test.each([
    ["gpt2", "none", "it has norms that take the mean away (LayerNorm)"],
    ["gemma2", "none", "capped scores or logits"],
    ["mixtral", "none", "experts"],
    ["phi3", "none", "matrices that are several in one"],
    ["llama-dynamic-rope", "none", "frequencies that change with the length"],
    ["llama", "none", "the embedding is float"],
  ])("%s with tables %s is refused: %s", async (modelCase, tables, reason) => {
    const path = await quantized(modelCase, "w8-narrowa8", tables);
    const opening = load(path, { backend: createReferenceBackend(), integerOnly: true });
    await expect(opening).rejects.toThrow(UnsupportedError);
    await expect(opening).rejects.toThrow(reason);
  });

  test("weights that are no 8-bit integers are refused by the layer's name", async () => {
    const path = await quantized("llama", "w4g16a8");
    const opening = load(path, { backend: createReferenceBackend(), integerOnly: true });
    await expect(opening).rejects.toThrow("q_proj does not multiply 8-bit integers");
  });

  test("scores the continuations of a task as the logits of each text say", async () => {
    const path = await quantized("llama", "w8-narrowa8");
    const model = await load(path, { backend: createReferenceBackend(), integerOnly: true });
    const continuations = ["one end", "one other end", "two"].map((continuation) => ({
      context: "the beginning of all is",
      continuation: ` ${continuation}`,
    }));
    const scoring = { products: "exact", greedy: true } as const;
    const { logLikelihoods, greedy } = await scoreContinuations(model, continuations, scoring);
    for (const [i, continuation] of continuations.entries()) {
      const window = encodeContinuation(model.tokenizer, continuation, 256);
      expect(logLikelihoods[i]).toBeCloseTo(await likelihoodOf(model, window), 4);
    }
    expect(new Set(logLikelihoods).size).toBe(3);
    expect([...(greedy ?? [])]).toEqual([0, 0, 0]);
  });

  test("models that were loaded to compute with floats are refused", async () => {
    const path = await quantized("llama", "w8-narrowa8");
    const floats = await load(path, { backend: createReferenceBackend() });
    await expect(evaluate(floats, { text, integerOnly: true })).rejects.toThrow(UsageError);
  });
});

/** Log-likelihood of a window's tokens from `from` on, in float64 from the logits of a plain pass. */
async function likelihoodOf(
  model: LanguageModel,
  { ids, from, to }: EvaluationWindow,
): Promise<number> {
  const hidden = model.hiddenStates(model.tokens([ids.subarray(0, to)]));
  const { hiddenSize, vocabularySize } = model.config;
  const logits = await model.logits(hidden.reshape([to, hiddenSize])).read();
  let sum = 0;
  for (let at = from; at < to; at++) {
    const row = logits.subarray(at * vocabularySize, (at + 1) * vocabularySize);
    sum += row[ids[at + 1]] - Math.log(row.reduce((all, logit) => all + Math.exp(logit), 0));
  }
  return sum;
}

for (const { title, missing, open } of subjects) {
  describe.skipIf(missing)(missing ? `${title} (skipped: ${missing})` : title, () => {
    test.each(schemes)("%s: the integers of reference", async (scheme) => {
      const path = await quantized("llama", scheme);
      expect(await integerLogits(path, open())).toEqual(
        await integerLogits(path, createReferenceBackend()),
      );
    });
  });
}

const native = nativeAvailability();
describe.skipIf(!native.available)("threads", () => {
  test("one and three give the same integers", async () => {
    const path = await quantized("llama", "w8-narrowa8");
    const logits = [1, 3].map((threads) => integerLogits(path, createNativeBackend({ threads })));
    const [one, three] = await Promise.all(logits);
    expect(one).toEqual(three);
  });
});
