import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readModelConfig } from "../models/index.ts";
import { inspectCheckpoint } from "../runtime/inspect.ts";
import {
  decodeWork,
  fitInto,
  memoryNeed,
  rooflineSpeeds,
  type RunChoice,
  tokensSeen,
} from "./consequences.ts";
import { arithmeticEnergies, joulesOf, memoryEnergies } from "./energy.ts";
import { shapeOf } from "./model-shape.ts";
import { planModel } from "./plan-model.ts";
import { readDescribedModel } from "./read-model.ts";
import { storedSizes } from "./storage.ts";

const builtin = fileURLToPath(new URL("../../builtin/model", import.meta.url));

const tiny = {
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 100,
  tie_word_embeddings: false,
};
const shape = shapeOf(readModelConfig(tiny));
const floats = { embedding: "bf16", head: "bf16", others: "bf16" } as const;
const packed: RunChoice = {
  storage: { linear: "w8g64", ...floats },
  kvCache: "f16",
  context: 10,
};
/** Attention: two of 64 × 64, two of 32 × 64; MLP: three of 128 × 64. */
const linearWeights = 3 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 128 * 64);

test("a model as it is takes what its weight files hold", async () => {
  const inspection = await inspectCheckpoint(builtin);
  const held = inspection.tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { variants, parameters } = planModel("builtin", await readDescribedModel(builtin), []);
  expect(parameters.all).toBe(inspection.parameters);
  expect(variants[0]?.stored.all).toBe(held);
});

describe("of a token", () => {
  test("products are those of all linear layers, the head and attention", () => {
    const work = decodeWork(shape, packed);
    expect(work.integerProducts).toBe(linearWeights);
    expect(work.floatProducts).toBe(100 * 64 + 3 * 2 * 64 * 10);
    expect(work.operations).toBe(2 * (work.integerProducts + work.floatProducts));
  });

  test("bytes are those of all weights, a row of the embedding, keys and values", () => {
    const { linear, head } = storedSizes(shape, packed.storage);
    const norms = 7 * 64 * 2;
    expect(decodeWork(shape, packed).weightBytes).toBe(linear + head + norms + 64 * 2);
    expect(decodeWork(shape, packed).kvBytes).toBe(3 * 2 * 2 * 16 * 2 * (10 + 1));
  });

  test("of experts, only those count that a token goes to", () => {
    const json = { ...tiny, model_type: "mixtral", num_local_experts: 8, num_experts_per_tok: 2 };
    const mixture = shapeOf(readModelConfig(json));
    const expert = 3 * 3 * 128 * 64;
    const attention = linearWeights - expert;
    expect(decodeWork(mixture, packed).integerProducts).toBe(attention + 2 * expert);
    expect(mixture.parameters).toBeGreaterThan(shape.parameters + 7 * expert - 1);
  });

  test("blocks with windows look at their window, and keep all tokens", () => {
    const windowed = {
      ...shape,
      spans: [
        { window: 4, blocks: 2 },
        { window: null, blocks: 1 },
      ],
    };
    expect(tokensSeen(windowed, 10)).toBe(2 * 4 + 10);
    expect(memoryNeed(windowed, packed).kvCache).toBe(memoryNeed(shape, packed).kvCache);
  });

  test("energy is picojoules times bytes and products, exactly", () => {
    const work = { bytes: 1e12, integerProducts: 2e12, floatProducts: 3e12 };
    const { int8, float32 } = arithmeticEnergies["45nm"];
    const expected = memoryEnergies.ddr + 2 * int8 + 3 * float32;
    expect(joulesOf(work, { arithmetic: "45nm", memory: "ddr" })).toBeCloseTo(expected, 9);
  });
});

describe("what fits", () => {
  const need = memoryNeed(shape, packed).all;

  test("is what is not larger than the memory, to the byte", () => {
    expect(fitInto(shape, packed, need).fits).toBe(true);
    expect(fitInto(shape, packed, need - 1).fits).toBe(false);
  });

  test("the largest context fits, one more token does not", () => {
    const memory = memoryNeed(shape, { ...packed, context: 100_000 }).all;
    const { largestContext } = fitInto(shape, { ...packed, context: 1000 }, memory);
    const at = (context: number) => fitInto(shape, { ...packed, context }, memory).fits;
    expect([at(largestContext), at(largestContext + 1)]).toEqual([true, false]);
  });

  test("nothing fits into nothing", () => {
    const { fits, largestContext, largestParameters } = fitInto(shape, packed, 0);
    expect([fits, largestContext, largestParameters]).toEqual([false, 0, 0]);
  });
});

test("the roofline is bandwidth over bytes, or peak over operations", () => {
  const { bytes, operations } = decodeWork(shape, packed);
  const slowMemory = { bytesPerSecond: bytes, operationsPerSecond: 1e18 };
  const slowCores = { bytesPerSecond: 1e18, operationsPerSecond: operations };
  expect(rooflineSpeeds(shape, packed, slowMemory).decode).toBeCloseTo(1, 12);
  expect(rooflineSpeeds(shape, packed, slowCores).decode).toBeCloseTo(1, 12);
});
