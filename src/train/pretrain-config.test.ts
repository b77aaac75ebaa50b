import { describe, expect, test } from "vitest";
import { OutOfMemoryError, UsageError } from "../util/errors.ts";
import {
  decoderConfigOf,
  type ModelShape,
  parseTrainConfig,
  type TrainConfigInput,
} from "./pretrain-config.ts";
import { learningRateOf, optimizerOf, planPretraining } from "./pretrain-plan.ts";
import type { TrainingData } from "./prepare-data.ts";

const model = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};
const small: TrainConfigInput = { model, data: { files: ["train.txt"], batch: 2 } };

/** Data of 20 windows of 8 tokens. */
const data = {
  windows: { count: 20, length: 8, at: () => new Int32Array(8) },
  textTokens: 163,
} as unknown as TrainingData;

const planOf = (change: object) => {
  const config = parseTrainConfig({ ...small, ...change });
  return planPretraining(config, decoderConfigOf(config.model as ModelShape, 300), data, "f32");
};

describe("the length of a training", () => {
  test.each([
    ["one epoch unless given", {}, 10],
    ["epochs", { epochs: 2.5 }, 25],
    ["steps", { steps: 7 }, 7],
    ["tokens", { tokens: 160 }, 10],
    ["tokens below one step", { tokens: 1 }, 1],
    ["epochs with accumulation", { epochs: 2, optimizer: { accumulation: 4 } }, 5],
  ])("%s", (_, change, steps) => {
    expect(planOf(change).steps).toBe(steps);
  });

  test("a warm-up that does not fit into it is refused", () => {
    expect(() => planOf({ steps: 5, optimizer: { warmUp: 6 } })).toThrow(UsageError);
  });
});

describe("defaults", () => {
  test("a model that is trained further gets a smaller learning rate", () => {
    const { data: files } = small;
    expect(learningRateOf(parseTrainConfig(small))).toBe(1e-3);
    expect(learningRateOf(parseTrainConfig({ from: "x", data: files }))).toBe(1e-4);
    const asked = { ...small, optimizer: { learningRate: 0.5 } };
    expect(learningRateOf(parseTrainConfig(asked))).toBe(0.5);
  });

  test("matrices decay, the rest does not", () => {
    const { groups } = optimizerOf(parseTrainConfig(small));
    expect(groups["matrices"].weightDecay).toBe(0.1);
    expect(groups["rest"].weightDecay).toBeUndefined();
  });

  test("recomputation needs less memory, larger batches more", () => {
    const bytes = (change: object) => planOf(change).memoryBytes;
    expect(bytes({ recompute: true })).toBeLessThan(bytes({}));
    expect(bytes({ data: { files: ["a"], batch: 4 } })).toBeGreaterThan(bytes({}));
  });

  test("a limit of memory chooses how many windows are in memory at once", () => {
    const data = { files: ["a"], batch: 4 };
    const { memoryBytes: all } = planOf({ data });
    const { memoryBytes: two } = planOf({ data, windowsAtOnce: 2 });
    expect(two).toBeLessThan(all);
    const limited = planOf({ data, memory: `${two}` });
    expect([limited.fit, limited.memoryBytes]).toEqual([{ windowsAtOnce: 2 }, two]);
    expect(planOf({ data, memory: `${all}` }).fit).toEqual({});
    expect(() => planOf({ data, memory: "1MB" })).toThrow(OutOfMemoryError);
  });
});

test.each([
  ["neither a model nor a checkpoint", { model: undefined }, /no model was given/],
  [
    "a tokenizer for a checkpoint",
    { model: undefined, from: "x", tokenizer: "y" },
    /its own token/,
  ],
  ["no text", { data: {} }, /no training text/],
  ["a negative learning rate", { optimizer: { learningRate: -1 } }, /optimizer\.learningRate/],
  ["an odd head width", { model: { ...model, hidden_size: 12 } }, /model: expected an even/],
  ["a dtype that does not exist", { dtype: "f8" }, /dtype/],
])("%s is refused, and the field named", (_, change, message) => {
  expect(() => parseTrainConfig({ ...small, ...change })).toThrow(UsageError);
  expect(() => parseTrainConfig({ ...small, ...change })).toThrow(message);
});
