import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import {
  makeTinyBlock,
  quantizeTinyBlock,
  tinyBlock,
  type TinyModel,
  tinyProblem,
  type TinyProblem,
} from "../../../test/golden/tiny-block.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { Linear } from "../../nn/linear.ts";
import { FakeQuantized } from "../../quant/fake-quantized.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tape } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { fakeQuantize } from "../../tensor/training-ops.ts";
import { UsageError } from "../../util/errors.ts";
import { halvesToFloats } from "../../util/half.ts";
import { Prng } from "../../util/prng.ts";
import type { QuantizedBlock } from "../define-method.ts";
import { roundInPlace, roundToNearest } from "../shared/quantize-columns.ts";
import { type BlockTraining, trainBlock } from "../shared/train-block.ts";
import blockAp from "./block-ap.ts";

interface GradientCase {
  readonly scheme: string;
  readonly scales: number[];
  readonly zeros: number[];
  readonly values: number[];
  readonly dWeight: number[];
  readonly dScales: number[];
  readonly dZeros: number[];
}

/** What tools/golden/make_block_ap.py wrote. */
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/block-ap.json", import.meta.url), "utf8"),
) as {
  readonly gradients: readonly GradientCase[];
  readonly training: {
    readonly scheme: string;
    readonly steps: number;
    readonly rates: { readonly weights: number; readonly scales: number };
    readonly losses: readonly number[];
    readonly codes: Readonly<Record<string, string>>;
    readonly scales: Readonly<Record<string, readonly number[]>>;
  };
};
const backend = createReferenceBackend();
const { scheme, steps, rates, losses } = golden.training;
const { windows } = tinyBlock;

const from = (dimensions: readonly number[], values: ArrayLike<number>): Tensor<"f32"> =>
  Tensor.from(backend, "f32", dimensions, Float32Array.from(values));

describe("the quantizer of EfficientQAT", () => {
  test.each<[string, (draw: number) => number]>([
    ["positive", (draw) => 0.3 + 0.1 * draw],
    ["negative", (draw) => -0.4 + 0.1 * draw],
    ["equal", () => 0.35],
    ["equal and negative", () => -0.35],
  ])("begins with groups of %s weights no worse than RTN leaves them", async (_, weightOf) => {
    const prng = new Prng(5);
    const values = Float32Array.from({ length: 64 }, () => weightOf(prng.uniform()));
    const distance = (found: Float32Array): number =>
      Math.sqrt(found.reduce((sum, value, i) => sum + (value - values[i]) ** 2, 0));
    for (const id of ["w2g32", "w3g16", "w4g32", "w8"]) {
      const rounded = from([2, 32], values);
      roundInPlace(rounded, parseScheme(id));
      const begun = await FakeQuantized.of(from([2, 32], values), parseScheme(id));
      const packed = (await begun.freeze()).dequantize();
      const nearest = distance(await rounded.read());
      expect(distance(packed), id).toBeLessThanOrEqual(nearest * 1.001 + 1e-6);
    }
  });

  test.each(golden.gradients)("$scheme: values and gradients of PyTorch", async (example) => {
    const weight = from([4, 64], goldenMatrix(4, 64, 5, 0.1));
    const scales = from([4, 4], example.scales);
    const zeros = from([4, 4], example.zeros);
    const { grid, groupSize } = parseScheme(example.scheme);
    const how = grid.training?.straightThrough;
    if (!how || groupSize === null) throw new Error("the grid cannot be trained");
    const tape = new Tape();
    tape.watch(weight, scales, zeros);
    const out = tape.run(() => fakeQuantize(weight, { scales, zeros, groupSize }, how));
    tape.backward([[out, from([4, 64], goldenMatrix(4, 64, 9))]]);
    await expectClose(out, example.values);
    await expectClose(tape.takeGradient(weight), example.dWeight);
    await expectClose(tape.takeGradient(scales), example.dScales);
    await expectClose(tape.takeGradient(zeros), example.dZeros);
  });
});

describe("Block-AP", () => {
  test(`${steps} steps on a block end where PyTorch's do`, async () => {
    const { weights, figures } = await train({});
    expect(figures.steps).toBe(steps);
    expect(figures.firstLoss / losses[0]).toBeCloseTo(1, 4);
    expect(figures.lastLoss / (losses.at(-1) ?? 0)).toBeCloseTo(1, 4);
    let same = 0;
    let all = 0;
    for (const [slot, expected] of Object.entries(golden.training.codes)) {
      const weight = weights.get(slot);
      const codes = weight?.unpackCodes() ?? [];
      for (const [i, code] of codes.entries())
        same += code === Number.parseInt(expected[i], 16) ? 1 : 0;
      all += expected.length;
      const scales = halvesToFloats(weight?.parts.scales ?? new Uint16Array());
      for (const [i, value] of golden.training.scales[slot].entries()) {
        expect(scales[i] / value).toBeCloseTo(1, 2);
      }
    }
    expect(same / all).toBeGreaterThan(0.995);
  });

  test("windows that are held out measure the block before and after", async () => {
    const { figures } = await train({ validation: 1 });
    expect(figures.lastValidation).toBeLessThan(figures.firstValidation);
  });

  test.each([
    ["weights", { learningRate: 1 }, /ended at a loss of [\d.e+]+, from [\d.e-]+; try a lower/],
    ["weights, far too large", { learningRate: 1e30 }, /not finite|ended at a loss of/],
    ["scales", { scaleLearningRate: 10 }, /ended at a loss of/],
  ])("a rate at which %s diverge leaves the block as it began", async (_, rate, said) => {
    const { model, block } = await makeTinyBlock(backend);
    const begun = await Promise.all(
      block.slots.map(async ({ name, layer }) => {
        const weight = (layer as Linear).weight as Tensor<"f32">;
        const copy = from(weight.shape, await weight.read());
        return [name, await (await FakeQuantized.of(copy, parseScheme(scheme))).freeze()] as const;
      }),
    );
    const { weights, figures, fallback } = await train(rate, { model, block });
    expect(fallback).toMatch(said);
    expect(figures.lossBefore).toBeGreaterThan(0);
    for (const [name, { parts }] of begun) {
      expect(weights.get(name)?.parts.codes, name).toEqual(parts.codes);
      expect(weights.get(name)?.parts.scales, name).toEqual(parts.scales);
    }
  });

  test("a block that a start was made for begins with it, and keeps it where training fails", async () => {
    const { model, block } = await makeTinyBlock(backend);
    const starts = new Map<string, QTensor>();
    for (const { name, layer } of block.slots) {
      const { shape: dimensions } = (layer as Linear).weight as Tensor<"f32">;
      const [rows = 0, columns = 0] = dimensions;
      const others = from(dimensions, goldenMatrix(rows, columns, 77, 1 / Math.sqrt(columns)));
      starts.set(name, await roundToNearest(others, parseScheme(scheme), null));
    }
    const startOf = (slot: string): QTensor | null => starts.get(slot) ?? null;
    const still = { learningRate: 1e-30, scaleLearningRate: 1e-30 };
    const kept = await train(still, { model, block }, { startOf });
    const failed = await train({ learningRate: 1 }, await makeTinyBlock(backend), { startOf });
    expect(kept.fallback).toBeUndefined();
    expect(failed.fallback).toMatch(/ended at a loss of/);
    for (const [name, { parts }] of starts) {
      expect(kept.weights.get(name)?.parts, name).toEqual(parts);
      expect(failed.weights.get(name)?.parts, name).toEqual(parts);
    }
  });

  test("a block that a rate makes worse is trained again from its beginning with less of it", async () => {
    const tried: number[] = [];
    const training = (rateShares: readonly number[]): BlockTraining => ({
      latentOf: async ({ weight }) => ({
        weight: await FakeQuantized.of(weight, parseScheme(scheme)),
      }),
      optimizer: (_, __, share) => {
        tried.push(share);
        const learningRate = share * rates.weights;
        return { groups: { weights: { learningRate }, scales: { learningRate } } };
      },
      steps: () => steps,
      schedule: { kind: "constant" },
      rateShares,
      batch: windows,
      loss: "relative",
      clip: 0,
      validation: 0,
      patience: 0,
      precision: "f32",
    });
    const problem = tinyProblem(scheme, {}, await makeTinyBlock(backend));
    const { figures, weights, fallback } = await trainBlock(problem, training([1e4, 1, 2]));
    expect(tried).toEqual([1e4, 1]);
    expect(fallback).toBeUndefined();
    expect(figures.rateShare).toBe(1);
    const once = await trainBlock(
      tinyProblem(scheme, {}, await makeTinyBlock(backend)),
      training([1]),
    );
    for (const [name, { parts }] of once.weights) {
      expect(weights.get(name)?.parts, name).toEqual(parts);
    }
  });

  test("a training that goes well has no fallback, and says what it brought", async () => {
    const { figures, fallback } = await train({});
    expect(fallback).toBeUndefined();
    expect(figures.lossAfter).toBeLessThan(figures.lossBefore);
  });

  test("a block that gets no better is done early", async () => {
    const { figures } = await train({
      validation: 1,
      patience: 1,
      learningRate: 1e-12,
      scaleLearningRate: 1e-12,
    });
    expect(figures.steps).toBeLessThan(steps);
  });

  test("the slots hold what they held, with the trained weights", async () => {
    const { model, block } = await makeTinyBlock(backend);
    const before = block.slots.map(({ layer }) => layer);
    await train({}, { model, block });
    expect(block.slots.map(({ layer }) => layer)).toEqual(before);
  });

  test("it warns above 4 bits, and nowhere else", () => {
    for (const id of ["w8", "w8g64-sym"]) expect(blockAp.caution?.(parseScheme(id))).toContain(id);
    for (const id of ["w1-elastic", "w2g64", "w4-sym"]) {
      expect(blockAp.caution?.(parseScheme(id))).toBeNull();
    }
  });

  test("more windows held out than there are is refused", async () => {
    await expect(train({ validation: windows })).rejects.toThrow(UsageError);
  });
});

async function train(
  options: Record<string, unknown>,
  made?: TinyModel,
  more?: Partial<TinyProblem>,
): Promise<QuantizedBlock> {
  const learned = { learningRate: rates.weights, scaleLearningRate: rates.scales };
  const chosen = { epochs: steps, batch: windows, loss: "squared", ...learned, ...options };
  return quantizeTinyBlock(blockAp, scheme, chosen, made ?? (await makeTinyBlock(backend)), more);
}

async function expectClose(found: Tensor | null, expected: readonly number[]): Promise<void> {
  const values = [...(found ? ((await found.read()) as Float32Array) : [])];
  expect(values.length).toBe(expected.length);
  for (const [i, value] of values.entries()) {
    expect(Math.abs(value - expected[i])).toBeLessThan(1e-4 * (1 + Math.abs(expected[i])));
  }
}
