import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import {
  makeTinyBlock,
  quantizeTinyBlock,
  tinyBlock,
  type TinyModel,
  type TinyProblem,
} from "../../../test/golden/tiny-block.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { Linear } from "../../nn/linear.ts";
import { LearnedInputStep } from "../../nn/learned-input-step.ts";
import { RoundedWeight } from "../../quant/rounded-weight.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { addRoundingPenalty, roundSoftly } from "../../tensor/soft-rounding-ops.ts";
import { Tape } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { NumericError, SchemeError, UsageError } from "../../util/errors.ts";
import { chooseBlocks } from "../shared/block-search.ts";
import type { QuantizedBlock } from "../define-method.ts";
import { roundToNearest } from "../shared/quantize-columns.ts";
import { penaltyPower } from "../shared/rounding-training.ts";
import brecq from "./brecq.ts";

/** What tools/golden/make_brecq.py wrote. */
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/brecq.json", import.meta.url), "utf8"),
) as {
  readonly settings: Readonly<Record<string, number>>;
  readonly variables: Readonly<Record<string, readonly number[]>>;
  readonly inputStep: {
    readonly scale: number;
    readonly zeroPoint: number;
    readonly factor: number;
    readonly values: readonly number[];
    readonly dX: readonly number[];
    readonly dFactor: number;
  };
  readonly blocks: readonly {
    readonly scheme: string;
    readonly loss: string;
    readonly losses: readonly number[];
    readonly before: number;
    readonly after: number;
    readonly codes: Readonly<Record<string, string>>;
  }[];
};
const backend = createReferenceBackend();
const { hidden, tokens, windows } = tinyBlock;

const from = (shape: readonly number[], values: ArrayLike<number>): Tensor<"f32"> =>
  Tensor.from(backend, "f32", shape, Float32Array.from(values));

describe("rounding variables", () => {
  const drawn = (seed: number, spread: number): Tensor<"f32"> =>
    from([4, 32], goldenMatrix(4, 32, seed, spread));

  test("values and gradients are PyTorch's", async () => {
    const [low, step, variables] = [drawn(70, 1), drawn(71, 0.3), drawn(72, 4)];
    const tape = new Tape();
    tape.watch(variables);
    const out = tape.run(() => roundSoftly({ low, step, variables }));
    tape.backward([[out, drawn(73, 1)]]);
    await expectClose(out, golden.variables.values);
    await expectClose(tape.takeGradient(variables), golden.variables.dV);
  });

  test.each([20, 7.5, 2])(
    "the penalty with the exponent %d has PyTorch's gradient",
    async (power) => {
      const gradient = Tensor.zeros(backend, "f32", [4, 32]);
      addRoundingPenalty(gradient, drawn(72, 4), 1, power);
      await expectClose(gradient, golden.variables[`penalty${power}`]);
    },
  );

  test("its exponent falls in a line from the end of the warm-up to the last step", () => {
    const options = { warmUp: 0.2, firstPower: 20, lastPower: 2, penalty: 1, learningRate: 1 };
    const powers = Array.from({ length: 10 }, (_, step) => penaltyPower(options, step, 10));
    expect(powers.slice(0, 2)).toEqual([null, 20]);
    expect(powers[5]).toBeCloseTo(11, 10);
    expect(powers[9]).toBe(2);
    expect(penaltyPower({ ...options, warmUp: 1 }, 9, 10)).toBe(2);
  });

  test.each(["w1", "w1.58", "w2g16", "w2-seq", "w3g24", "w4-floatzero", "w4g16-sym", "w8g16"])(
    "under %s weights begin where they are, and are packed as rounding has them",
    async (id) => {
      const [rows, columns] = [3, 40];
      const weight = goldenMatrix(rows, columns, 11, 0.1);
      const scheme = parseScheme(id);
      const start = await roundToNearest(from([rows, columns], weight), scheme, null);
      const latent = await RoundedWeight.startedBy(from([rows, columns], weight), start);
      const hard = (await latent.weights().read()) as Float32Array;
      const packed = await latent.freeze();
      expect(packed.parts).toEqual(start.parts);
      const decoded = packed.dequantize();
      for (const [i, value] of hard.entries()) expect(value).toBeCloseTo(decoded[i], 6);
      const tape = new Tape();
      tape.watch(latent.learned[0].value);
      const soft = (await tape.run(() => latent.weights()).read()) as Float32Array;
      const [least, most] = [Math.min(...decoded), Math.max(...decoded)];
      for (const [i, value] of soft.entries()) {
        if (weight[i] > least && weight[i] < most && id !== "w1.58") {
          expect(Math.abs(value - weight[i])).toBeLessThan(Math.abs(decoded[i] - weight[i]) + 1e-4);
        }
      }
    },
  );

  test("turning a variable over turns the weight to its other neighbour", async () => {
    const weight = goldenMatrix(2, 32, 12, 0.1);
    const start = await roundToNearest(from([2, 32], weight), parseScheme("w3g16"), null);
    const latent = await RoundedWeight.startedBy(from([2, 32], weight), start);
    const [{ value }] = latent.learned;
    const before = start.unpackCodes();
    const turned = (await value.read()).map((v) => -v - 1e-3);
    (value.storage as Float32Array).set(turned);
    const after = (await latent.freeze()).unpackCodes();
    const moves = after.map((code, i) => Math.abs(code - before[i]));
    expect(Math.max(...moves)).toBe(1);
    expect(moves.filter((move) => move === 1).length).toBeGreaterThan(50);
  });

  test("blocks and weights that are NaN are refused", async () => {
    const plain = await roundToNearest(
      from([1, 32], new Float32Array(32)),
      parseScheme("w2"),
      null,
    );
    const bad = from([1, 32], new Float32Array(32).fill(Number.NaN, 3, 4));
    await expect(RoundedWeight.startedBy(bad, plain)).rejects.toThrow(NumericError);
    const wide = goldenMatrix(1, 256, 13, 0.1);
    const blocks = await chooseBlocks(from([1, 256], wide), parseScheme("q4_k") as never, null);
    await expect(RoundedWeight.startedBy(from([1, 256], wide), blocks)).rejects.toThrow(
      SchemeError,
    );
  });
});

test("the scale of inputs that is learned has PyTorch's values and gradients", async () => {
  const { scale, zeroPoint, factor, values, dX, dFactor } = golden.inputStep;
  const step = new LearnedInputStep(backend, { scale, zeroPoint });
  (step.factor.storage as Float32Array)[0] = factor;
  const x = from([2, 3, 16], goldenMatrix(6, 16, 80, 1.5));
  const tape = new Tape();
  tape.watch(x, step.factor);
  const out = tape.run(() => step.round(x));
  tape.backward([[out, from([2, 3, 16], goldenMatrix(6, 16, 81))]]);
  await expectClose(out, values);
  await expectClose(tape.takeGradient(x), dX);
  const [found] = (await tape.takeGradient(step.factor)?.read()) ?? [Number.NaN];
  expect(found / dFactor).toBeCloseTo(1, 3);
  const { scale: stored } = await step.parameters();
  expect(stored / (factor * scale)).toBeCloseTo(1, 6);
});

describe("BRECQ", () => {
  test.each(golden.blocks)(
    "steps on a block under $scheme with the loss $loss end where PyTorch's do",
    async ({ scheme, loss, losses, before, after, codes }) => {
      const gradients = goldenMatrix(windows * tokens, hidden, 50, 2);
      const more = { outputGradients: async () => windowsOf(gradients) };
      const { weights, figures } = await train(scheme, { ...golden.settings, loss }, more);
      expect(figures.lossBefore / before).toBeCloseTo(1, 4);
      expect(figures.firstLoss / losses[0]).toBeCloseTo(1, 4);
      expect(Math.abs(figures.lastLoss / (losses.at(-1) ?? 0) - 1)).toBeLessThan(0.02);
      // One weight that turns over at 2 bits shows.
      expect(Math.abs(figures.lossAfter / after - 1)).toBeLessThan(0.1);
      let same = 0;
      let all = 0;
      for (const [slot, expected] of Object.entries(codes)) {
        for (const [i, code] of (weights.get(slot)?.unpackCodes() ?? []).entries())
          same += code === Number.parseInt(expected[i], 16) ? 1 : 0;
        all += expected.length;
      }
      expect(same / all).toBeGreaterThan(0.99);
    },
  );

  test.each(["w2g16", "w2-seq", "w3g24", "w4g16-sym"])(
    "under %s a block ends with far less loss than rounding to nearest has",
    async (scheme) => {
      const { figures, fallback } = await train(scheme, { iters: 40 });
      expect(figures.lossAfter).toBeLessThan(0.8 * figures.lossBefore);
      expect(fallback).toBeUndefined();
    },
  );

  test("steps that make a block no better leave it as it was, and say so", async () => {
    // The penalty alone pushes every weight to the side that it is on.
    const alone = { penalty: 1e9, warmUp: 0, firstPower: 2, learningRate: 10 };
    const { figures, fallback, weights } = await train("w8g16", { iters: 1, ...alone });
    expect(figures.lossAfter).toBe(figures.lossBefore);
    expect(fallback).toContain("the values that the training began with are kept");
    const plain = await train("w8g16", { iters: 1, learningRate: 1e-12 });
    for (const [slot, weight] of plain.weights) {
      expect(weights.get(slot)?.unpackCodes(), slot).toEqual(weight.unpackCodes());
    }
  });

  test("scales of inputs are learned with the roundings, from those that are given", async () => {
    const begin = { scale: 0.002, zeroPoint: 128 };
    const activationsOf = () => ({ input: begin, output: null });
    const learned = { iters: 40, activationLearningRate: 0.05 };
    const { weights, figures } = await train("w4g16a8-static", learned, { activationsOf });
    const fixed = { iters: 40, activationLearningRate: 0 };
    const still = await train("w4g16a8-static", fixed, { activationsOf });
    // The scale is so small at first that most inputs are clipped.
    expect(figures.lossAfter).toBeLessThan(0.5 * still.figures.lossAfter);
    for (const [slot, { parts, scheme }] of weights) {
      expect(scheme.id).toBe("w4g16a8-static");
      expect(parts.activations?.input.scale, slot).toBeGreaterThan(1.5 * begin.scale);
      expect(still.weights.get(slot)?.parts.activations?.input.scale).toBeCloseTo(begin.scale, 8);
    }
  });

  test("inputs that are rounded by token have nothing to learn", async () => {
    const { weights, figures } = await train("w4g16a8", { iters: 20 });
    expect(figures.lossAfter).toBeLessThan(figures.lossBefore);
    for (const { parts, scheme } of weights.values()) {
      expect({ id: scheme.id, activations: parts.activations }).toEqual({
        id: "w4g16a8",
        activations: null,
      });
    }
  });

  test("it begins with what another quantizer chose", async () => {
    const made = await makeTinyBlock(backend);
    const starts = new Map(
      await Promise.all(
        made.block.slots.map(async ({ name, layer }) => {
          const weight = await ((layer as Linear).weight as Tensor<"f32">).read();
          const moved = weight.map((w, i) => w + 0.1 * Math.sin(i));
          const { outFeatures, inFeatures } = layer;
          const tensor = from([outFeatures, inFeatures], moved);
          return [name, await roundToNearest(tensor, parseScheme("w3g16"), null)] as const;
        }),
      ),
    );
    const startOf = (slot: string) => starts.get(slot) ?? null;
    const still = { iters: 1, learningRate: 1e-12 };
    const { weights } = await train("w3g16", still, { startOf }, made);
    for (const [slot, start] of starts) {
      expect(weights.get(slot)?.parts, slot).toEqual(start.parts);
    }
  });

  test("the loss by gradients is refused where there are none", async () => {
    await expect(train("w2g16", { iters: 1, loss: "fisher" })).rejects.toThrow(UsageError);
  });

  test("the slots hold what they held, and gradients are given back, also after an error", async () => {
    const made = await makeTinyBlock(backend);
    const before = made.block.slots.map(({ layer }) => layer);
    let released = 0;
    const gradients = new Float32Array(windows * tokens * hidden);
    const release = async () => void released++;
    const more = { outputGradients: async () => ({ ...windowsOf(gradients), release }) };
    const chosen = { iters: 1, loss: "fisher" };
    await train("w2g16", chosen, more, made);
    expect(made.block.slots.map(({ layer }) => layer)).toEqual(before);
    const tooMany = { ...chosen, validation: windows };
    await expect(train("w2g16", tooMany, more, made)).rejects.toThrow(UsageError);
    expect(made.block.slots.map(({ layer }) => layer)).toEqual(before);
    expect(released).toBe(2);
  });

  test("it warns above 4 bits, and takes weights whose codes stand by themselves", () => {
    for (const id of ["w8", "w8g64-sym"]) expect(brecq.caution?.(parseScheme(id))).toContain(id);
    for (const id of ["w2g64", "w4-sym"]) expect(brecq.caution?.(parseScheme(id))).toBeNull();
    for (const id of ["q4_k", "w8-narrowa8-integer"]) {
      expect(brecq.supports(parseScheme(id)), id).toBe(false);
    }
    for (const id of ["w1", "w2-seq", "w4g32-floatzero", "w4g64a8", "w4a8-static"]) {
      expect(brecq.supports(parseScheme(id)), id).toBe(true);
    }
  });
});

async function train(
  scheme: string,
  options: Record<string, unknown>,
  more: Partial<TinyProblem> = {},
  made?: TinyModel,
): Promise<QuantizedBlock> {
  const chosen = { batch: windows, loss: "squared", mse: false, ...options };
  return quantizeTinyBlock(brecq, scheme, chosen, made ?? (await makeTinyBlock(backend)), more);
}

/** Gradients of all windows, `[windows, tokens, hidden]`. */
function windowsOf(values: Float32Array) {
  const size = tokens * hidden;
  return {
    windows,
    length: tokens,
    take: async (indices: readonly number[]) => {
      const taken = indices.flatMap((at) => [...values.subarray(at * size, (at + 1) * size)]);
      return from([indices.length, tokens, hidden], taken);
    },
    release: async () => {},
  };
}

async function expectClose(found: Tensor | null, expected: readonly number[]): Promise<void> {
  const values = [...(found ? ((await found.read()) as Float32Array) : [])];
  expect(values.length).toBe(expected.length);
  for (const [i, value] of values.entries()) {
    expect(Math.abs(value - expected[i])).toBeLessThan(1e-4 * (1 + Math.abs(expected[i])));
  }
}
