import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import {
  makeTinyBlock,
  quantizeTinyBlock,
  tinyBlock,
  type TinyModel,
} from "../../../test/golden/tiny-block.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { Linear } from "../../nn/linear.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { rangeRule, ShiftedWeight } from "../../quant/shifted-weight.ts";
import { roundShifted, scalesOfRanges } from "../../tensor/rounding-ops.ts";
import { Tape } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { NumericError, SchemeError, UsageError } from "../../util/errors.ts";
import { halvesToFloats } from "../../util/half.ts";
import type { QuantizedBlock } from "../define-method.ts";
import { moveToStart } from "../shared/latent-from-start.ts";
import { roundToNearest } from "../shared/quantize-columns.ts";
import autoRound from "./auto-round.ts";

type Lists =
  | "values"
  | "scales"
  | "zeros"
  | "lowFactors"
  | "highFactors"
  | "dShifts"
  | "dLow"
  | "dHigh";

/** What tools/golden/make_auto_round.py wrote. */
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/auto-round.json", import.meta.url), "utf8"),
) as {
  readonly gradients: readonly (Readonly<Record<Lists, number[]>> & { readonly scheme: string })[];
  readonly trainings: readonly {
    readonly scheme: string;
    readonly steps: number;
    readonly momentum: number;
    readonly losses: readonly number[];
    readonly codes: Readonly<Record<string, string>>;
    readonly scales: Readonly<Record<string, readonly number[]>>;
  }[];
};
const backend = createReferenceBackend();

const from = (shape: readonly number[], values: ArrayLike<number>): Tensor<"f32"> =>
  Tensor.from(backend, "f32", shape, Float32Array.from(values));

describe("the quantizer of SignRound", () => {
  test.each(golden.gradients)("$scheme: values and gradients of PyTorch", async (example) => {
    const { grid, groupSize } = parseScheme(example.scheme);
    const how = rangeRule(grid);
    if (!how || groupSize === null) throw new Error("the grid cannot be learned");
    const weights = goldenMatrix(4, 64, 5, 0.1);
    const groups = Array.from({ length: 16 }, (_, i) => weights.subarray(16 * i, 16 * i + 16));
    const rounding = {
      shifts: from([4, 64], goldenMatrix(4, 64, 6, 0.25)),
      low: from(
        [4, 4],
        groups.map((group) => Math.min(0, ...group)),
      ),
      high: from(
        [4, 4],
        groups.map((group) => Math.max(0, ...group)),
      ),
      lowFactors: from([4, 4], example.lowFactors),
      highFactors: from([4, 4], example.highFactors),
      groupSize,
    };
    const { shifts, lowFactors, highFactors } = rounding;
    const { scales, zeros } = scalesOfRanges(rounding, how);
    const tape = new Tape();
    tape.watch(shifts, lowFactors, highFactors);
    const out = tape.run(() => roundShifted(from([4, 64], weights), rounding, how));
    tape.backward([[out, from([4, 64], goldenMatrix(4, 64, 9))]]);
    await expectClose(scales, example.scales);
    const whole = from(
      [4, 4],
      (await zeros.read()).map((zero) => Math.round(zero)),
    );
    await expectClose(whole, example.zeros);
    await expectClose(out, example.values);
    await expectClose(tape.takeGradient(shifts), example.dShifts);
    await expectClose(tape.takeGradient(lowFactors), example.dLow);
    await expectClose(tape.takeGradient(highFactors), example.dHigh);
  });
});

describe("AutoRound", () => {
  test.each(golden.trainings)(
    "$steps steps on a block under $scheme, momentum $momentum, end where PyTorch's do",
    async ({ scheme, steps, momentum, losses, codes, scales }) => {
      const { weights, figures } = await train(scheme, { iters: steps, momentum });
      expect(figures.steps).toBe(steps);
      expect(figures.firstLoss / losses[0]).toBeCloseTo(1, 4);
      expect(figures.lastLoss / (losses.at(-1) ?? 0)).toBeCloseTo(1, 2);
      let same = 0;
      let all = 0;
      for (const [slot, expected] of Object.entries(codes)) {
        const weight = weights.get(slot);
        for (const [i, code] of (weight?.unpackCodes() ?? []).entries())
          same += code === Number.parseInt(expected[i], 16) ? 1 : 0;
        all += expected.length;
        const found = halvesToFloats(weight?.parts.scales ?? new Uint16Array());
        const far = scales[slot].filter((scale, i) => Math.abs(found[i] / scale - 1) > 0.02);
        expect(far.length, slot).toBeLessThanOrEqual(0.02 * scales[slot].length);
      }
      expect(same / all).toBeGreaterThan(0.99);
    },
  );

  test.each(["w2g16", "w2-sym", "w2g16-seq", "w1.58-seq", "w3g24", "w4g16-sym", "w8g32"])(
    "under %s a block ends with no more loss than it began with, below 4 bits with far less",
    async (scheme) => {
      const { figures, fallback } = await train(scheme, { iters: 20 });
      const { grid } = parseScheme(scheme);
      if (grid.bits < 4) expect(figures.lossAfter).toBeLessThan(0.7 * figures.lossBefore);
      else expect(figures.lossAfter).toBeLessThanOrEqual(figures.lossBefore);
      expect(fallback === undefined).toBe(figures.lossAfter < figures.lossBefore);
    },
  );

  test("two micro-batches of a step are as one batch of both", async () => {
    const iters = 4;
    const one = await train("w2g16", { iters });
    const two = await train("w2g16", { iters, batch: tinyBlock.windows / 2, accumulation: 2 });
    expect(two.figures.firstLoss / one.figures.firstLoss).toBeCloseTo(1, 5);
    expect(two.figures.lossAfter / one.figures.lossAfter).toBeCloseTo(1, 2);
  });

  test.each([1, 1.5])("a momentum of %f is refused", async (momentum) => {
    await expect(train("w2g16", { iters: 1, momentum })).rejects.toThrow(UsageError);
  });

  test("training begins with rounding to nearest, as RTN does it", async () => {
    const still = { iters: 1, learningRate: 1e-9 };
    const { weights } = await train("w3g16", still);
    const { model, block } = await makeTinyBlock(backend);
    expect(model.hiddenSize).toBe(tinyBlock.hidden);
    for (const { name, layer } of block.slots) {
      const weight = (layer as Linear).weight as Tensor<"f32">;
      const nearest = await roundToNearest(weight, parseScheme("w3g16"), null);
      expect(weights.get(name)?.unpackCodes(), name).toEqual(nearest.unpackCodes());
    }
  });

  test.each(["w2g16", "w2g16-seq", "w3g16-sym", "w4g24"])(
    "without steps under %s the errors of weights are those of the scale search, below RTN's",
    async (scheme) => {
      const searched = await train(scheme, { iters: 0 });
      const rounded = await train(scheme, { iters: 1, learningRate: 1e-9 });
      const { block } = await makeTinyBlock(backend);
      for (const { name, layer } of block.slots) {
        const weight = await ((layer as Linear).weight as Tensor<"f32">).read();
        const [least, nearest] = [searched, rounded].map((made) =>
          distance(made.weights.get(name)?.dequantize() ?? new Float32Array(), weight),
        );
        expect(least, name).toBeLessThanOrEqual(nearest);
      }
    },
  );

  test("what the search minimises is weighted by the importance of columns", async () => {
    const weight = goldenMatrix(3, 32, 11, 0.1);
    const importance = Float32Array.from({ length: 32 }, (_, j) => (j % 8 === 0 ? 100 : 0.01));
    const weighted = (found: Float32Array): number =>
      found.reduce((sum, w, i) => sum + importance[i % 32] * (w - weight[i]) ** 2, 0);
    const scheme = parseScheme("w2g16");
    const [plain, important] = await Promise.all(
      [null, importance].map(async (by) => {
        const start = { search: true, importance: by };
        const latent = await ShiftedWeight.of(from([3, 32], weight), scheme, start);
        return (await latent.freeze()).dequantize();
      }),
    );
    expect(weighted(important)).toBeLessThan(0.8 * weighted(plain));
    expect(distance(plain, weight)).toBeLessThan(distance(important, weight));
  });

  test("what is packed is what the block was trained to compute", async () => {
    for (const scheme of ["w2g16", "w2g16-sym", "w2g16-seq", "w1.58g16-seq"]) {
      const weight = from([3, 32], goldenMatrix(3, 32, 11, 0.1));
      const latent = await ShiftedWeight.of(weight, parseScheme(scheme), whole);
      for (const [i, { value }] of latent.parameters.entries()) {
        const moves = goldenMatrix(1, value.size, 12 + i, 0.2);
        const moved = (await value.read()).map((x, at) => x - Math.abs(moves[at]));
        (value.storage as Float32Array).set(moved);
      }
      const packed = await latent.freeze();
      const seen = (await latent.weights().read()) as Float32Array;
      expect([...packed.dequantize()].map((x) => x + 0)).toEqual([...seen].map((x) => x + 0));
    }
  });

  test.each(["w2g16", "w3g24", "w4-sym", "w8g16-sym", "w2g16-seq", "w1.58-seq"])(
    "begun under %s with what another quantizer chose, it packs as that until it is trained",
    async (id) => {
      const [rows, columns] = [3, 40];
      const weight = goldenMatrix(rows, columns, 11, 0.1);
      const errors = goldenMatrix(rows, columns, 12, 0.05);
      const other = from(
        [rows, columns],
        weight.map((w, i) => w + errors[i]),
      );
      const start = await roundToNearest(other, parseScheme(id), null);
      const moved = from([rows, columns], weight);
      await moveToStart(moved, start, 0.1);
      const { parts } = await ShiftedWeight.startedBy(moved, start).freeze();
      expect(parts).toEqual(start.parts);
    },
  );

  test("a symmetric group gives the extreme code to the weight farthest from zero", async () => {
    for (const sign of [1, -1]) {
      const values = Float32Array.of(0.1, -0.2, 0.4, -0.3).map((x) => sign * x);
      const latent = await ShiftedWeight.of(from([1, 4], values), parseScheme("w4-sym"), whole);
      const packed = await latent.freeze();
      expect(packed.unpackCodes()[2]).toBe(0);
      expect(Math.sign(halvesToFloats(packed.parts.scales)[0])).toBe(-sign);
    }
  });

  test("a weight that is NaN is an error when it is packed", async () => {
    const weight = from([1, 16], new Float32Array(16).fill(0.1).fill(Number.NaN, 3, 4));
    const latent = await ShiftedWeight.of(weight, parseScheme("w2g16"), whole);
    await expect(latent.freeze()).rejects.toThrow(NumericError);
  });

  test("it warns above 4 bits, and nowhere else", () => {
    for (const id of ["w8", "w8g64-sym"]) {
      expect(autoRound.caution?.(parseScheme(id))).toContain(id);
    }
    for (const id of ["w2g64", "w4-sym"]) expect(autoRound.caution?.(parseScheme(id))).toBeNull();
  });

  test("the slots hold what they held", async () => {
    for (const iters of [0, 2]) {
      const made = await makeTinyBlock(backend);
      const before = made.block.slots.map(({ layer }) => layer);
      await train("w2g16", { iters }, made);
      expect(made.block.slots.map(({ layer }) => layer)).toEqual(before);
    }
  });

  test("takes grids whose scales follow ranges, with a zero point or even about zero", async () => {
    for (const id of ["w1", "w1.58", "w4-floatzero", "w2-seqa8", "w4g64a8", "q4_k"]) {
      expect(autoRound.supports(parseScheme(id)), id).toBe(false);
    }
    for (const id of [
      "w2g64",
      "w3",
      "w4g32-sym",
      "w8-sym",
      "w2g64-seq",
      "w1.58-seq",
      "w8-narrow",
    ]) {
      expect(autoRound.supports(parseScheme(id)), id).toBe(true);
    }
    const weight = from([1, 16], new Float32Array(16));
    await expect(ShiftedWeight.of(weight, parseScheme("w1.58"), whole)).rejects.toThrow(
      SchemeError,
    );
  });
});

/** Begins with whole ranges. */
const whole = { search: false, importance: null };

function distance(found: Float32Array, expected: Float32Array): number {
  return found.reduce((sum, value, i) => sum + (value - expected[i]) ** 2, 0);
}

async function train(
  scheme: string,
  options: Record<string, unknown>,
  made?: TinyModel,
): Promise<QuantizedBlock> {
  const chosen = { batch: tinyBlock.windows, loss: "squared", ...options };
  return quantizeTinyBlock(autoRound, scheme, chosen, made ?? (await makeTinyBlock(backend)));
}

async function expectClose(found: Tensor | null, expected: readonly number[]): Promise<void> {
  const values = [...(found ? ((await found.read()) as Float32Array) : [])];
  expect(values.length).toBe(expected.length);
  for (const [i, value] of values.entries()) {
    expect(Math.abs(value - expected[i])).toBeLessThan(1e-4 * (1 + Math.abs(expected[i])));
  }
}
