import { describe, expect, test } from "vitest";
import { lawfulTable } from "../../test/fixtures/lawful-machine.ts";
import { readModelConfig } from "../models/index.ts";
import type { RunChoice } from "./consequences.ts";
import { decodeWork } from "./consequences.ts";
import { joulesOf } from "./energy.ts";
import { interpolateLinear, interpolateTime } from "./interpolate.ts";
import { layerCosts, usualEnergy } from "./layer-costs.ts";
import { type MachineTable, parseMachineTable } from "./machine-table.ts";
import { shapeOf } from "./model-shape.ts";
import {
  decodeSeconds,
  measuredContext,
  predictSpeeds,
  productSeconds,
  promptSeconds,
} from "./predict-speed.ts";

/** Seconds of each storage for out × in × tokens. */
const factors: Readonly<Record<string, number>> = { bf16: 16e-12, w2g64: 2e-12, w4g64: 4e-12 };
const table = lawfulTable(factors);
const [run] = table.runs;
const config = readModelConfig({
  model_type: "llama",
  hidden_size: 128,
  intermediate_size: 256,
  num_hidden_layers: 3,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  vocab_size: 1500,
  tie_word_embeddings: false,
});
const shape = shapeOf(config);
const floats = { embedding: "bf16", head: "bf16", others: "bf16" } as const;
const choice: RunChoice = {
  storage: { linear: "w2g64", ...floats },
  kvCache: "f16",
  context: 1000,
};
/** Query and output, key and value, gate, up and down of one block. */
const blockWeights = 2 * 128 * 128 + 2 * 32 * 128 + 3 * 256 * 128;

describe("interpolation", () => {
  const law = (x: number, y: number): number => 5e-6 + 3e-9 * x + 2e-9 * y + 1e-10 * x * y;
  const nodes = [2, 8, 64].flatMap((x) => [5, 50].map((y) => ({ x, y, seconds: law(x, y) })));

  test.each([
    [2, 5],
    [8, 50],
    [16, 20],
    [1, 1],
    [1000, 1000],
  ])("is exact at %s, %s for a constant, rows, columns and elements, inside and beyond", (x, y) => {
    const seconds = interpolateTime(nodes, x, y) ?? Number.NaN;
    expect(seconds / law(x, y)).toBeCloseTo(1, 10);
  });

  test("takes no less of a smaller size than its share where noise bends the line", () => {
    const bent = [1, 100, 200].map((x) => ({ x, y: 1, seconds: x === 100 ? 1 : 4 }));
    expect(interpolateTime(bent.slice(1), 10, 1)).toBeCloseTo(0.2, 12);
    expect(interpolateTime(bent.slice(0, 2), 300, 1)).toBeCloseTo(1, 12);
    expect(interpolateTime(bent, 300, 1)).toBeCloseTo(7, 12);
  });

  test("takes time as proportional along an axis with one size, and nothing from a grid with holes", () => {
    const one = [{ x: 4, y: 4, seconds: 1 }];
    expect(interpolateTime(one, 8, 12)).toBeCloseTo(6, 12);
    expect(interpolateTime(nodes.slice(1), 8, 12)).toBe(null);
    expect(interpolateTime([], 8, 12)).toBe(null);
  });

  test("of differences is linear, below zero too", () => {
    const points = [
      { size: 30, seconds: -1 },
      { size: 10, seconds: 3 },
    ];
    expect([10, 20, 30, 40].map((size) => interpolateLinear(points, size))).toEqual([3, 1, -1, -3]);
    expect(interpolateLinear([], 1)).toBe(null);
  });
});

describe("a token", () => {
  const linear = 2e-12 * 3 * blockWeights;
  const head = 16e-12 * 1500 * 128;
  const attention = (3 * 1e-9 * 128 * (1000 - measuredContext)) / 4;
  const rest = 3 * (1e-6 + 1e-8 * 128) + 1e-5 + 1e-9 * 1500;

  test("takes the sum of its products, attention and the rest", () => {
    const seconds = decodeSeconds(table, shape, choice);
    expect(seconds.linear / linear).toBeCloseTo(1, 9);
    expect(seconds.head / head).toBeCloseTo(1, 9);
    expect(seconds.attention / attention).toBeCloseTo(1, 9);
    expect(seconds.rest / rest).toBeCloseTo(1, 9);
    expect(seconds.all / (linear + head + attention + rest)).toBeCloseTo(1, 9);
    expect(predictSpeeds(table, shape, choice).decode * seconds.all).toBeCloseTo(1, 12);
  });

  test("takes the least times where they are asked for", () => {
    const least = decodeSeconds(table, shape, choice, { take: "least" }).all;
    expect(least / decodeSeconds(table, shape, choice).all).toBeCloseTo(0.5, 9);
  });

  test("takes less where some layers have fewer bits", () => {
    const storageOf = (module: string) => (module.includes("mlp") ? null : "w4g64");
    const mixed = decodeSeconds(table, shapeOf(config, storageOf), choice);
    const attentionWeights = 2 * 128 * 128 + 2 * 32 * 128;
    expect(mixed.linear / (linear + 2e-12 * 3 * attentionWeights)).toBeCloseTo(1, 9);
  });

  test("of a prompt goes through everything but the head once for each token", () => {
    const products = 128 * linear + head;
    const others = 3 * 128 * (1e-6 + 1e-8 * 128) + 1e-5 + 1e-9 * 1500;
    expect(promptSeconds(table, shape, choice) / (products + others)).toBeCloseTo(1, 9);
  });
});

describe("a storage that was not timed", () => {
  const size = { tokens: 1, outFeatures: 512, inFeatures: 512 };

  test("takes as long as its packing, by the bytes", () => {
    const measured = productSeconds(run, "w2g64", size);
    const bits = { w2g64: 2 + 18 / 64, w2g128: 2 + 18 / 128 };
    const share = productSeconds(run, "w2g128", size) / measured;
    expect(share).toBeCloseTo(bits.w2g128 / bits.w2g64, 9);
  });

  test("is refused where nothing of its packing was", () => {
    expect(() => productSeconds(run, "w3g64", size)).toThrow(/no products of w3g64/);
    expect(() => productSeconds(run, "f32", size)).toThrow(/no products of f32/);
  });
});

test("costs of layers and a constant add up to the whole token", () => {
  const costs = layerCosts(table, shape, choice);
  const layers = shape.parts.filter(({ kind }) => kind === "attention" || kind === "mlp");
  const sums = { ...costs.constant };
  for (const part of layers) {
    const cost = costs.cost({ ...part, used: part.used }, "w2g64");
    sums.decodeMicroseconds += cost.decodeMicroseconds;
    sums.joules += cost.joules;
  }
  const seconds = decodeSeconds(table, shape, choice).all;
  expect(sums.decodeMicroseconds / (1e6 * seconds)).toBeCloseTo(1, 9);
  const joules = joulesOf(decodeWork(shape, choice), usualEnergy);
  expect(sums.joules / joules).toBeCloseTo(1, 9);
});

test("a number of threads that was not measured is refused with those that were", () => {
  const ask = () => decodeSeconds(table, shape, choice, { threads: 3 });
  expect(ask).toThrow(expect.objectContaining({ field: "threads", hint: "measured: 2" }));
});

describe("a table from a file", () => {
  const text = JSON.stringify(table);
  const changed = (change: (value: Record<string, unknown>) => void): unknown => {
    const value = JSON.parse(text) as Record<string, unknown>;
    change(value);
    return value;
  };

  test("is what was written", () => {
    expect(parseMachineTable(JSON.parse(text), "t.json")).toEqual(table);
  });

  test.each([
    ["of another version", changed((value) => (value.version = 2)), /version 2/],
    ["without runs", changed((value) => (value.runs = [])), /runs/],
    ["with a field more", changed((value) => (value.more = 1)), /more/],
    [
      "with a text for a number",
      changed((value) => (value.runs = [{ threads: "2" }])),
      /runs\[0\]/,
    ],
    ["that is none", [], /t\.json/],
    ["that is nothing", null, /t\.json/],
  ])("%s is refused by name", (_, value, message) => {
    expect(() => parseMachineTable(value, "t.json")).toThrow(message);
  });

  test.each([0, -1, Number.POSITIVE_INFINITY, Number.NaN, 1e300])("has no time of %s", (median) => {
    const copy = JSON.parse(text) as MachineTable;
    copy.runs[0].products[0].seconds.median = median;
    expect(() => parseMachineTable(copy, "t.json")).toThrow(/products\[0\]\.seconds\.median/);
  });
});
