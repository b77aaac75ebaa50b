import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import {
  makeTinyBlock,
  quantizeTinyBlock,
  tinyBlock,
  type TinyModel,
  tinyProblem,
  windowsOf,
} from "../../../test/golden/tiny-block.ts";
import { loadCase, readModelCase } from "../../../test/golden/model-cases.ts";
import { LayerInputs } from "../../calibration/statistics/layer-inputs.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { readWeights } from "../../nn/scale-channels.ts";
import { ClippedWeight } from "../../quant/clipped-weight.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { expectRangeRule } from "../../quant/shifted-weight.ts";
import {
  rangesOfGroups,
  roundClipped,
  scalesOfRanges,
  sigmoid,
} from "../../tensor/rounding-ops.ts";
import { Tape } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { SchemeError } from "../../util/errors.ts";
import { halvesToFloats } from "../../util/half.ts";
import type { QuantizedBlock, ScalableChannels } from "../define-method.ts";
import { BlockLoss } from "../shared/block-loss.ts";
import { EquivalentScales } from "../shared/equivalent-scales.ts";
import { roundToNearest } from "../shared/quantize-columns.ts";
import { type LatentStart, type SlotToTrain, TrainedSlots } from "../shared/trained-slots.ts";
import omniquant from "./omniquant.ts";

type Lists =
  | "values"
  | "scales"
  | "zeros"
  | "lowBounds"
  | "highBounds"
  | "dWeight"
  | "dLow"
  | "dHigh";

/** What tools/golden/make_omniquant.py wrote. */
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/omniquant.json", import.meta.url), "utf8"),
) as {
  readonly gradients: readonly (Readonly<Record<Lists, number[]>> & { readonly scheme: string })[];
  readonly trainings: readonly {
    readonly scheme: string;
    readonly steps: number;
    readonly losses: readonly number[];
    readonly codes: Readonly<Record<string, string>>;
    readonly scales: Readonly<Record<string, readonly number[]>>;
    readonly factors: readonly (readonly number[])[];
    readonly gradients: readonly (readonly number[])[];
    readonly folded: Readonly<Record<string, readonly number[]>>;
  }[];
};
const backend = createReferenceBackend();
const { quantizeBlock = notThere } = omniquant;
/** Rates of the golden trainings. */
const rates = { learningRate: 0.05, transformationLearningRate: 0.02 };

const from = (shape: readonly number[], values: ArrayLike<number>): Tensor<"f32"> =>
  Tensor.from(backend, "f32", shape, Float32Array.from(values));

describe("learnable weight clipping", () => {
  test.each(golden.gradients)("$scheme: values and gradients of PyTorch", async (example) => {
    const { scheme, lowBounds, highBounds } = example;
    const how = expectRangeRule(parseScheme(scheme));
    const weight = from([4, 64], goldenMatrix(4, 64, 5, 0.1));
    const [low, high] = [from([4, 4], lowBounds), from([4, 4], highBounds)];
    const shares = (): { lowFactors: Tensor<"f32">; highFactors: Tensor<"f32">; groupSize: 16 } => {
      return { lowFactors: sigmoid(low), highFactors: sigmoid(high), groupSize: 16 };
    };
    const tape = new Tape();
    tape.watch(weight, low, high);
    const out = tape.run(() => roundClipped(weight, shares(), how));
    tape.backward([[out, from([4, 64], goldenMatrix(4, 64, 9))]]);
    const ranges = { ...rangesOfGroups(weight, 16), ...shares() };
    const { scales, zeros } = scalesOfRanges(ranges, how);
    await expectClose(scales, example.scales);
    const whole = from(
      [4, 4],
      (await zeros.read()).map((zero) => Math.round(zero)),
    );
    await expectClose(whole, example.zeros);
    await expectClose(out, example.values);
    await expectClose(tape.takeGradient(weight), example.dWeight);
    await expectClose(tape.takeGradient(low), example.dLow);
    await expectClose(tape.takeGradient(high), example.dHigh);
  });

  test.each(["w2g16", "w3g24", "w4g16-sym", "w8"])(
    "with whole ranges under %s a weight packs as rounding to nearest has it",
    async (id) => {
      const scheme = parseScheme(id);
      const weight = goldenMatrix(3, 40, 11, 0.1);
      const latent = new ClippedWeight(from([3, 40], weight), scheme);
      const nearest = await roundToNearest(from([3, 40], weight), scheme, null);
      const [found, expected] = [(await latent.freeze()).dequantize(), nearest.dequantize()];
      // Symmetric scales may be negative here, so that the grid reaches further on the other side.
      if (!id.includes("sym")) expect(found).toEqual(expected);
      const errors = [found, expected].map((values) => distance(values, weight));
      expect(errors[0]).toBeLessThanOrEqual(1.05 * errors[1]);
    },
  );

  test("what is packed is what the block was trained to compute", async () => {
    for (const id of ["w2g16", "w3g16-sym"]) {
      const weight = from([3, 32], goldenMatrix(3, 32, 11, 0.1));
      const latent = new ClippedWeight(weight, parseScheme(id));
      latent.clip(0.5);
      const packed = await latent.freeze();
      const seen = (await latent.weights().read()) as Float32Array;
      expect([...packed.dequantize()].map((x) => x + 0)).toEqual([...seen].map((x) => x + 0));
    }
  });

  test("grids without whole steps around a zero point are refused", () => {
    const weight = from([1, 16], new Float32Array(16));
    expect(() => new ClippedWeight(weight, parseScheme("w1.58"))).toThrow(SchemeError);
  });
});

describe("OmniQuant", () => {
  const [clipped, transformed] = [false, true].map((isTransformed) =>
    golden.trainings.filter(({ factors }) => factors.length > 0 === isTransformed),
  );

  test.each(clipped)("$steps steps under $scheme end where PyTorch's do", async (example) => {
    const { scheme, steps, losses, codes, scales } = example;
    const { weights, figures, scaled } = await train(scheme, { epochs: steps, ...rates });
    expect(figures.steps).toBe(steps);
    expect(figures.firstLoss / losses[0]).toBeCloseTo(1, 4);
    expect(figures.lastLoss / (losses.at(-1) ?? 0)).toBeCloseTo(1, 1.5);
    expect(scaled).toBeUndefined();
    let same = 0;
    let all = 0;
    for (const [slot, expected] of Object.entries(codes)) {
      const weight = weights.get(slot);
      for (const [i, code] of (weight?.unpackCodes() ?? []).entries()) {
        same += code === Number.parseInt(expected[i], 16) ? 1 : 0;
      }
      all += expected.length;
      const found = halvesToFloats(weight?.parts.scales ?? new Uint16Array());
      const far = scales[slot].filter((scale, i) => Math.abs(found[i] / scale - 1) > 0.03);
      expect(far.length, slot).toBeLessThanOrEqual(0.05 * scales[slot].length);
    }
    expect(same / all).toBeGreaterThan(0.97);
  });

  test.each(transformed)(
    "under $scheme the first step has the loss and the gradients by factors of PyTorch",
    async ({ scheme, losses, gradients }) => {
      const made = await makeTinyBlock(backend);
      const problem = tinyProblem(scheme, {}, made);
      const all = [...Array(tinyBlock.windows).keys()];
      const scalable = scalableIn(made, await problem.inputs.take(all));
      const scales = await EquivalentScales.of(made, scalable, { alpha: 0.5, shifts: true });
      const latentOf = async ({ name, weight, scheme }: SlotToTrain): Promise<LatentStart> => {
        const latent = new ClippedWeight(weight, scheme, { scaled: scales.scaled(name) });
        return { weight: latent, layerOf: (bias) => scales.layerOf(name, latent, bias) };
      };
      const slots = await TrainedSlots.of(problem, latentOf, scales.parameters);
      for (const weight of slots.weights) (weight as ClippedWeight).clip(4);
      scales.begin();
      const pair = {
        input: await problem.inputs.take(all),
        target: await problem.targets.take(all),
      };
      const loss = new BlockLoss(made, scales.parameters, "f32");
      const batch = loss.ofBatch({ ...pair, weights: null, factors: null });
      const [{ values, scale }] = batch.loss;
      expect((Number((await values.read())[0]) * scale) / losses[0]).toBeCloseTo(1, 4);
      for (const [i, { name }] of scales.parameters.entries()) {
        const found = (await batch.gradients[i]?.read()) ?? new Float32Array();
        const norm = distance(gradients[i], new Float32Array(gradients[i].length));
        expect(distance(found, gradients[i]) / norm, name).toBeLessThan(1e-4);
      }
    },
  );

  test.each(transformed)(
    "$steps steps under $scheme lead factors and weights where PyTorch's do",
    async ({ scheme, steps, losses, folded }) => {
      const made = await makeTinyBlock(backend);
      const { figures, scaled } = await train(scheme, { epochs: steps, ...rates }, made);
      expect(figures.lastLoss / (losses.at(-1) ?? 0)).toBeCloseTo(1, 0.7);
      expect(scaled).toBe(true);
      for (const [slot, expected] of Object.entries(folded)) {
        const [found] = (await readWeights(made.block, [slot])).values();
        const norm = distance(expected, new Float32Array(expected.length));
        // Steps of AdamW go by signs of gradients at first: those near 0 part the two.
        expect(distance(found, expected) / norm, slot).toBeLessThan(0.02);
      }
    },
  );

  test.each(["w2g16", "w3g24-sym", "w2g16a4", "w4a4", "w8-syma6"])(
    "under %s a block ends with no more loss than rounding to nearest has",
    async (scheme) => {
      const { figures, fallback } = await train(scheme, { epochs: 10 });
      if (fallback === undefined) {
        expect(figures.lossAfter).toBeLessThanOrEqual(figures.lossBefore);
      } else expect(fallback).toContain("are kept");
    },
  );

  test("what training makes worse is rounded to nearest, and nothing is scaled", async () => {
    const made = await makeTinyBlock(backend);
    const before = await readWeights(
      made.block,
      made.block.slots.map(({ name }) => name),
    );
    const wild = { epochs: 3, learningRate: 50, transformationLearningRate: 50 };
    const { weights, fallback, scaled } = await train("w4g16a4", wild, made);
    expect(fallback).toContain("are kept");
    expect(scaled ?? false).toBe(false);
    for (const [name, values] of before) {
      const [rows, columns] = [
        weights.get(name)?.outFeatures ?? 0,
        weights.get(name)?.inFeatures ?? 0,
      ];
      const nearest = await roundToNearest(
        from([rows, columns], values),
        parseScheme("w4g16"),
        null,
      );
      expect(weights.get(name)?.unpackCodes(), name).toEqual(nearest.unpackCodes());
      expect(await readWeights(made.block, [name])).toEqual(new Map([[name, values]]));
    }
  });

  test.each(["llama", "opt", "cohere-biases"])(
    "%s: a block with the factors in it computes what it did, and what is packed is of its weights",
    async (name) => {
      const golden = { ...readModelCase(name), dtype: "float32" } as const;
      const { model, blocks } = await loadCase(backend, golden);
      const [block] = blocks;
      const made = { model, block };
      const [windows, length, width] = [4, 6, model.hiddenSize];
      const inputs = from([windows, length, width], goldenMatrix(windows * length, width, 40));
      const before = model.forwardBlock(block, inputs, { position: 0 }) as Tensor<"f32">;
      const chosen = { epochs: 12, batch: windows, transformationLearningRate: 0.01 };
      const { weights, scaled, figures } = await quantizeBlock({
        ...made,
        inputs: windowsOf(inputs),
        targets: windowsOf(before),
        schemeOf: () => parseScheme("w8g16a4"),
        seed: 1,
        options: omniquant.options.parse(chosen),
        report: () => {},
        scalable: scalableIn(made, inputs),
      });
      expect(scaled).toBe(true);
      expect(figures.largestFactor / figures.smallestFactor).toBeGreaterThan(1.2);
      const after = model.forwardBlock(block, inputs, { position: 0 }) as Tensor<"f32">;
      const [found, expected] = [await after.read(), await before.read()];
      const none = new Float32Array(expected.length);
      expect(distance(found, expected) / distance(expected, none)).toBeLessThan(1e-6);
      for (const [slot, values] of await readWeights(block, [...weights.keys()])) {
        const packed = weights.get(slot)?.dequantize() ?? new Float32Array();
        const error = distance(packed, values) / distance(values, new Float32Array(values.length));
        expect(error, slot).toBeLessThan(0.05);
      }
    },
  );

  test("the augmented loss pulls towards what the original gives for the same inputs", async () => {
    const plain = await train("w2g16", { epochs: 6, augmented: false });
    const augmented = await train("w2g16", { epochs: 6, augmented: true });
    // Half of what is off before training is what the inputs are off.
    expect(augmented.figures.lossBefore).toBeLessThan(plain.figures.lossBefore);
    const usual = await train("w2g16", { epochs: 6, augmented: undefined });
    expect(usual.figures).toEqual(augmented.figures);
    const wider = await train("w3g16", { epochs: 6, augmented: undefined });
    const wide = await train("w3g16", { epochs: 6, augmented: false });
    expect(wider.figures).toEqual(wide.figures);
  });

  test("without clipping a block in which nothing can be scaled is rounded to nearest", async () => {
    const made = await makeTinyBlock(backend);
    const before = await readWeights(made.block, ["mlp.up_proj"]);
    const scalable = { groups: [], scores: null, statisticsOf: () => null };
    const chosen = { clipping: false, transformation: true };
    const { weights, fallback } = await quantizeTinyBlock(omniquant, "w4g16", chosen, made, {
      scalable,
    });
    expect(fallback).toContain("nothing in it can be scaled");
    const [values] = before.values();
    const weight = from([tinyBlock.ffn, tinyBlock.hidden], values);
    const nearest = await roundToNearest(weight, parseScheme("w4g16"), null);
    expect(weights.get("mlp.up_proj")?.unpackCodes()).toEqual(nearest.unpackCodes());
  });

  test("with nothing to learn it is refused before any work", () => {
    const messages = (chosen: Record<string, unknown>): string[] =>
      omniquant.options.safeParse(chosen).error?.issues.map(({ message }) => message) ?? [];
    expect(messages({ clipping: false, transformation: false })).toEqual([
      expect.stringContaining("there is nothing to learn"),
    ]);
    expect(messages({ clipping: false })).toEqual([]);
  });

  test("it takes grids whose scales follow ranges, and inputs that are rounded by token", () => {
    for (const id of ["w2g64", "w3-sym", "w2g64-seq", "w1.58-seqa8", "w4a4", "w4g64a6", "w8a8"]) {
      expect(omniquant.supports(parseScheme(id)), id).toBe(true);
    }
    for (const id of ["w1", "w1.58", "w4-floatzero", "w4a8-static", "q4_k"]) {
      expect(omniquant.supports(parseScheme(id)), id).toBe(false);
    }
    expect(omniquant.caution?.(parseScheme("w8"))).toContain("w8");
    expect(omniquant.caution?.(parseScheme("w8a8"))).toBeNull();
  });

  test("it scales channels where inputs are rounded, or where it is told to", () => {
    const scales = (id: string, chosen: Record<string, unknown>): boolean | undefined =>
      omniquant.scalesChannels?.(omniquant.options.parse(chosen), [parseScheme(id)]);
    expect(scales("w4", {})).toBe(false);
    expect(scales("w4a4", {})).toBe(true);
    expect(scales("w4a4", { transformation: false })).toBe(false);
    expect(scales("w4", { transformation: true })).toBe(true);
    expect(scales("w4", { clipping: false })).toBe(true);
  });
});

function notThere(): never {
  throw new Error("expected a method of blocks");
}

function distance(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  return Array.from(found).reduce((sum, value, i) => sum + (value - expected[i]) ** 2, 0);
}

/** Trains on all windows at once; channels are scaled where inputs are rounded. */
async function train(
  scheme: string,
  options: Record<string, unknown>,
  made?: TinyModel,
): Promise<QuantizedBlock> {
  const tiny = made ?? (await makeTinyBlock(backend));
  const chosen = { batch: tinyBlock.windows, loss: "squared", augmented: false, ...options };
  const isRounded = parseScheme(scheme).activation !== null;
  const { inputs } = tinyProblem("w8", {}, tiny);
  const all = await inputs.take([...Array(tinyBlock.windows).keys()]);
  const more = isRounded ? { scalable: scalableIn(tiny, all) } : {};
  return quantizeTinyBlock(omniquant, scheme, chosen, tiny, more);
}

/** What may be scaled in the block, given the largest inputs of its layers. */
function scalableIn({ model, block }: TinyModel, inputs: Tensor<"f32">): ScalableChannels {
  const gathered = new LayerInputs(["magnitudes"]);
  gathered.nextPass();
  model.forwardBlock(block, inputs, {
    position: 0,
    observe: (slot, input) => gathered.observe(slot, input),
  });
  return {
    groups: model.scaleGroups(0),
    scores: model.scorePair(0),
    statisticsOf: (name) => gathered.of({ name }) ?? null,
  };
}

async function expectClose(found: Tensor | null, expected: readonly number[]): Promise<void> {
  const values = [...(found ? ((await found.read()) as Float32Array) : [])];
  expect(values.length).toBe(expected.length);
  for (const [i, value] of values.entries()) {
    expect(Math.abs(value - expected[i])).toBeLessThan(1e-4 * (1 + Math.abs(expected[i])));
  }
}
