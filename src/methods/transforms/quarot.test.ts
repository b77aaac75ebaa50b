import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { rotatedTensors } from "../../models/decoder-rotation.ts";
import { readModelConfig } from "../../models/index.ts";
import { FoldedRotation } from "../../nn/model-rotation.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { parseRecipe } from "../../recipe/parse-recipe.ts";
import type { RecipeInput } from "../../recipe/recipe.ts";
import { Prng } from "../../util/prng.ts";
import { paleyMatrix, splitSize } from "../shared/hadamard.ts";
import { hadamardRotation, randomRotation } from "../shared/random-rotation.ts";
import quarot from "./quarot.ts";

interface Golden {
  readonly shapes: Readonly<Record<string, readonly [number, number]>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly products: readonly { readonly size: number; readonly values: readonly number[] }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/quarot.json", import.meta.url), "utf8"),
) as Golden;

/** Signs of the uniforms of `congruential.py`. */
function signs(size: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length: size }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return Math.sign(state / 2 ** 32 - 0.5);
  });
}

function turned(x: Float64Array, { turn }: { turn: (x: Float64Array) => void }): Float64Array {
  const copy = x.slice();
  turn(copy);
  return copy;
}

const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, x, i) => sum + x * b[i], 0);

const normals = (size: number, seed: number): Float64Array => {
  const random = new Prng(seed);
  return Float64Array.from({ length: size }, () => random.normal());
};

describe("the authors' arithmetic", () => {
  test.each(golden.products)("gives the same products with $size × $size", ({ size, values }) => {
    const x = Float64Array.from(goldenMatrix(1, size, 80));
    const found = turned(x, hadamardRotation(signs(size, 81)));
    values.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 9));
  });

  test("gives the same weights of a rotated Llama", async () => {
    const config = readModelConfig({
      model_type: "llama",
      hidden_size: 24,
      intermediate_size: 20,
      num_hidden_layers: 1,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 8,
      vocab_size: 12,
      tie_word_embeddings: true,
    });
    const originals = new Map(
      Object.entries(golden.shapes).map(([name, shape], i) => {
        const values = goldenMatrix(...shape, 50 + i);
        return [name, /norm/.test(name) ? values.map((value) => 1 + value) : values];
      }),
    );
    const original = (name: string): Float32Array => originals.get(name) ?? new Float32Array();
    const values = hadamardRotation(signs(8, 71));
    const stream = hadamardRotation(signs(24, 70));
    const rotated = rotatedTensors(config);
    const rotation = new FoldedRotation(rotated);
    rotation.current = { stream, values: () => values };
    expect([...rotated.keys()].sort()).toEqual([...originals.keys(), "lm_head.weight"].sort());
    for (const [name, expected] of Object.entries(golden.tensors)) {
      const tensor = rotated.get(name);
      const found = original(tensor?.from ?? "").slice();
      if (tensor) await rotation.change(found, tensor, tensor.vectors.map(original));
      expect(found.length).toBe(expected.length);
      const worst = found.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0);
      expect(worst, name).toBeLessThan(1e-6);
    }
  });
});

describe("matrices of Hadamard", () => {
  test.each([4, 12, 20, 24, 28, 36, 44, 60, 76, 104, 108, 140])("by Paley of order %i", (order) => {
    const matrix = paleyMatrix(order) ?? new Float64Array();
    const row = (i: number): Float64Array => matrix.subarray(i * order, (i + 1) * order);
    let wrong = 0;
    for (let i = 0; i < order; i++) {
      if (row(i)[0] !== 1) wrong++;
      for (let j = 0; j < order; j++) if (dot(row(i), row(j)) !== (i === j ? order : 0)) wrong++;
    }
    expect(matrix.length).toBe(order ** 2);
    expect(wrong).toBe(0);
  });

  test("sizes of models are split into one by Paley and a power of two", () => {
    const orders = [64, 576, 1536, 896, 960, 2560, 80, 4096, 6656].map((n) => splitSize(n).order);
    expect(orders).toEqual([1, 36, 12, 28, 60, 20, 20, 1, 104]);
  });

  test("there is none of order 52 by a prime, none of 18 at all: then the odd part is left", () => {
    for (const [size, odd] of [
      [52, 13],
      [18, 9],
    ]) {
      expect(paleyMatrix(size)).toBeNull();
      expect(splitSize(size)).toEqual({ order: odd, matrix: null });
    }
  });
});

const kinds = (["hadamard", "orthogonal"] as const).flatMap((kind) =>
  [false, true].map((keepsOnes) => ({ kind, keepsOnes })),
);
const sizes = [1, 2, 6, 18, 24, 32, 52, 72, 80];

describe.each(kinds)("a random rotation, $kind, keeps ones: $keepsOnes", (kind) => {
  test.each(sizes)("of %i values keeps products, and follows from the seed", (size) => {
    const rotation = randomRotation(size, new Prng(1), kind);
    const [x, y] = [normals(size, 2), normals(size, 3)];
    const [found, other] = [turned(x, rotation), turned(y, rotation)];
    expect(dot(found, other)).toBeCloseTo(dot(x, y), 9);
    expect(dot(found, found)).toBeCloseTo(dot(x, x), 9);
    expect(turned(x, randomRotation(size, new Prng(1), kind))).toEqual(found);
    if (size > 6) {
      expect(turned(x, randomRotation(size, new Prng(2), kind))).not.toEqual(found);
    }
    const ones = new Float64Array(size).fill(1);
    if (kind.keepsOnes) for (const value of turned(ones, rotation)) expect(value).toBeCloseTo(1, 9);
  });

  test("spreads a channel that stands out over all", () => {
    const size = 576;
    const x = Float64Array.from({ length: size }, (_, i) => (i === 7 ? 100 : 0));
    const found = turned(x, randomRotation(size, new Prng(4), kind));
    const largest = found.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeLessThan((100 / Math.sqrt(size)) * 5);
  });
});

describe("refusals, before any work", () => {
  const asked = (fields: Partial<RecipeInput>): RecipeInput => ({
    model: "model",
    out: "out",
    method: "rtn",
    scheme: "w4g64",
    calibration: { files: [{ path: "text.txt" }] },
    ...fields,
  });
  const rotation = { method: "quarot" as const };
  const awq = { method: "awq" as const };

  test("it comes before transforms of blocks, and once", () => {
    expect(() => parseRecipe(asked({ transforms: [rotation, awq] }))).not.toThrow();
    for (const transforms of [
      [awq, rotation],
      [rotation, rotation],
    ]) {
      const message = /QuaRot rotates the model before any other transform/;
      expect(() => parseRecipe(asked({ transforms }))).toThrow(message);
    }
  });

  test("an importance matrix is of columns that are mixed", () => {
    const recipe = asked({ scheme: "q4_k", imatrix: "file.imatrix" });
    expect(() => parseRecipe(recipe)).not.toThrow();
    expect(() => parseRecipe({ ...recipe, transforms: [rotation] })).toThrow(
      /QuaRot mixes the columns that the importance matrix tells apart/,
    );
  });
});

test("it speaks against layers with a scale for each column, and against plain rounding", () => {
  for (const id of ["w1-onebit", "w1-svid"]) {
    expect(quarot.caution?.(parseScheme(id))).toContain(id);
  }
  for (const id of ["w2g64", "w4", "w8a8", "q4_k"]) {
    expect(quarot.caution?.(parseScheme(id), { compensates: true })).toBeNull();
    expect(quarot.caution?.(parseScheme(id), { compensates: false })).toContain("plain rounding");
  }
});
