import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { type InputStatistics, LayerInputs } from "../../calibration/statistics/layer-inputs.ts";
import { Hessian } from "../../calibration/statistics/hessian.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { BlockPart } from "../../nn/quantizable-model.ts";
import { floatLinear, replaceWeight } from "../../nn/scale-channels.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { add } from "../../tensor/ops.ts";
import type { LinearSlot } from "../../nn/linear.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { CancelledError } from "../../util/errors.ts";
import {
  idTensor,
  type LoadedCase,
  loadCase,
  readModelCase,
} from "../../../test/golden/model-cases.ts";
import { activationFactors, relativeWeights } from "../shared/activation-factors.ts";
import { meanByChannel } from "../shared/channel-statistics.ts";
import { searchClipping } from "../shared/clip-search.ts";
import { quadraticForms } from "../shared/quadratic-loss.ts";
import { roundInPlace } from "../shared/quantize-columns.ts";
import gptq from "../ptq/gptq.ts";
import awq from "./awq.ts";

interface Golden {
  rows: number;
  columns: number;
  tokens: number;
  points: number;
  cases: {
    scheme: string;
    duoScaling: boolean;
    ratio: number;
    losses: number[];
    factors: number[];
    clip: number[];
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/awq.json", import.meta.url), "utf8"),
) as Golden;
const { rows, columns, tokens, points } = golden;
const backend = createReferenceBackend();

const weights = goldenMatrix(rows, columns, 1);
const plainInputs = goldenMatrix(tokens, columns, 7);
const inputs = plainInputs.map((value, i) => {
  const mixed = i % columns === 0 ? value : value + 0.7 * plainInputs[i - 1];
  return (i % columns) % 9 === 0 ? mixed * 4 : mixed;
});

function momentsOfInputs(divisors: Float32Array): Float32Array {
  const sums = new Float64Array(columns * columns);
  for (let t = 0; t < tokens; t++) {
    const row = inputs.subarray(t * columns, (t + 1) * columns);
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) sums[i * columns + j] += row[i] * row[j];
    }
  }
  return Float32Array.from(sums, (sum, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    return sum / (divisors[i] * divisors[j]);
  });
}

const ones = new Float32Array(columns).fill(1);
const means = Float32Array.from({ length: columns }, (_, j) => {
  let sum = 0;
  for (let t = 0; t < tokens; t++) sum += Math.abs(inputs[t * columns + j]);
  return sum / tokens;
});

describe("awq against the authors' arithmetic", () => {
  test.each(golden.cases)("$scheme, duo scaling $duoScaling", async (example) => {
    const scheme = parseScheme(example.scheme);
    const statistic = example.duoScaling
      ? relativeWeights([weights], columns, scheme.groupSize)
      : null;
    const moments = Tensor.from(backend, "f32", [columns, columns], momentsOfInputs(ones));
    for (let point = 0; point < points; point++) {
      const factors = activationFactors(means, point / points, statistic);
      const scaled = weights.map((w, at) => w * factors[at % columns]);
      const tensor = Tensor.from(backend, "f32", [rows, columns], scaled);
      roundInPlace(tensor, scheme);
      const errors = (await tensor.read()).map(
        (value, at) => value / factors[at % columns] - weights[at],
      );
      const losses = await quadraticForms(
        Tensor.from(backend, "f32", [rows, columns], errors),
        moments,
      );
      const loss = losses.reduce((sum, value) => sum + value, 0);
      // A weight on the border of two codes may fall to either side.
      expect(Math.abs(loss / example.losses[point] - 1)).toBeLessThan(0.02);
    }
    const best = activationFactors(means, example.ratio, statistic);
    best.forEach((factor, j) => expect(factor / example.factors[j]).toBeCloseTo(1, 4));
  });

  test.each(golden.cases)("$scheme, duo scaling $duoScaling: clipping ranges", async (example) => {
    const factors = Float32Array.from(example.factors);
    const found = await searchClipping(
      {
        weight: weights.map((w, at) => w * factors[at % columns]),
        outFeatures: rows,
        inFeatures: columns,
        scheme: parseScheme(example.scheme),
        moments: momentsOfInputs(factors),
        backend,
      },
      Array.from({ length: points / 2 }, (_, i) => 1 - i / points),
    );
    const steps = [...found.ratios].map((ratio) => Math.round((1 - ratio) * points));
    const same = steps.filter((step, i) => step === example.clip[i]).length;
    expect(same / steps.length).toBeGreaterThan(0.95);
    expect(found.loss).toBeLessThan(found.lossBefore);
  });
});

test("a channel that feeds several columns is judged by their mean", () => {
  const channelOf = Int32Array.of(0, 1, 0, 1, 2, 2);
  const byColumn = Float32Array.of(1, 2, 3, 6, 5, 7);
  expect([...meanByChannel(byColumn, 3, channelOf)]).toEqual([2, 4, 6]);
});

const scheme = parseScheme("w3g8");

/** What the pipeline hands to a transform, for block 0 of a golden model. */
async function problemOf({ model, blocks }: LoadedCase, options: object, signal?: AbortSignal) {
  const [block] = blocks;
  const ids = Array.from({ length: 4 }, (_, row) =>
    Array.from({ length: 24 }, (_, t) => (7 * row + 5 * t + ((t * t) % 11)) % 32),
  );
  const hidden = model.embed(idTensor(backend, ids));
  const gathered = new LayerInputs(awq.needs.statistics);
  const observe = (slot: LinearSlot, input: Tensor): void => gathered.observe(slot, input);
  model.forwardBlock(block, hidden, { position: 0, observe });
  return {
    model,
    block,
    groups: model.scaleGroups(),
    inputs: [hidden],
    tokenFactors: null,
    statisticsOf: (slot: string) => gathered.of({ name: slot }) as InputStatistics,
    schemeOf: () => scheme,
    compensated: false,
    tryQuantizer: null,
    options: awq.options.parse(options),
    report: () => {},
    ...(signal ? { signal } : {}),
  };
}

/**
 * Outputs of both parts of block 0 after the slots `rounded` were rounded to nearest; the MLP's
 * behind the attention as it was.
 */
async function outputs(
  { model, blocks }: LoadedCase,
  hidden: Tensor<"f32">,
  rounded: readonly string[],
): Promise<Float32Array[]> {
  const middle = add(hidden, model.forwardPart(blocks[0], "attention", hidden));
  for (const name of rounded) {
    const { weight } = floatLinear(blocks[0], name);
    const copy = Tensor.from(backend, "f32", weight.shape, await weight.read());
    roundInPlace(copy, scheme);
    replaceWeight(blocks[0], name, copy);
  }
  const parts: BlockPart[] = ["attention", "mlp"];
  const outs: Float32Array[] = [];
  for (const part of parts) {
    const input = part === "attention" ? hidden : middle;
    outs.push(await model.forwardPart(blocks[0], part, input).read());
  }
  return outs;
}

function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);
}

describe.each(["llama", "llama-one-key-head", "qwen2-tied", "llama-tied-multi-head"])(
  "awq on a block of %s",
  (name) => {
    const golden = { ...readModelCase(name), dtype: "float32" } as const;

    test.each([
      { slots: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], part: 0 },
      { slots: ["self_attn.o_proj"], part: 0 },
      { slots: ["mlp.gate_proj", "mlp.up_proj"], part: 1 },
      { slots: ["mlp.down_proj"], part: 1 },
    ])("awq and rtn ≤ rtn on what $slots are judged by", async ({ slots, part }) => {
      const before = await loadCase(backend, golden);
      const {
        inputs: [hidden],
      } = await problemOf(before, {});
      const float = (await outputs(before, hidden, []))[part];
      const plain = (await outputs(before, hidden, slots))[part];

      const loaded = await loadCase(backend, golden);
      const problem = await problemOf(loaded, { clip: false, searchTokens: 1000 });
      const parts = await awq.transformBlock?.(problem);
      const scaled = (await outputs(loaded, hidden, slots))[part];
      expect(distance(scaled, float)).toBeLessThanOrEqual(distance(plain, float) * 1.0001);
      expect(parts?.length).toBe(4);
      for (const { figures } of parts ?? []) {
        expect(figures.error).toBeLessThanOrEqual(figures.errorUnscaled);
      }
    });

    test("scaling alone leaves the block's output as it was", async () => {
      const loaded = await loadCase(backend, golden);
      const problem = await problemOf(loaded, { clip: false });
      const [hidden] = problem.inputs;
      const [attention, mlp] = await outputs(loaded, hidden, []);
      await awq.transformBlock?.(problem);
      const [attentionAfter, mlpAfter] = await outputs(loaded, hidden, []);
      const energy = (values: Float32Array): number =>
        distance(values, new Float32Array(values.length));
      expect(distance(attentionAfter, attention)).toBeLessThan(1e-8 * energy(attention));
      expect(distance(mlpAfter, mlp)).toBeLessThan(1e-8 * energy(mlp));
    });
  },
);

test("in front of a quantizer that compensates, ratios are judged by what it makes of them", async () => {
  const loaded = await loadCase(backend, readModelCase("llama"));
  const problem = await problemOf(loaded, { clip: false });
  const slot = "mlp.down_proj";
  const { weight } = floatLinear(loaded.blocks[0], slot);
  const original = Tensor.from(backend, "f32", weight.shape, await weight.read());
  const moments = (await problem.statisticsOf(slot).hessian?.moments()) as Float64Array;
  const quantize = async (of: Tensor<"f32">, hessian: Hessian) => {
    const options = gptq.options.parse({});
    const made = await gptq.quantizeLinear?.({ name: slot, weight: of, scheme, hessian, options });
    return (made as NonNullable<typeof made>).weight;
  };
  const alone = await quantize(
    Tensor.from(backend, "f32", original.shape, await original.read()),
    Hessian.of(
      Tensor.from(backend, "f64", [weight.shape[1] ?? 0, weight.shape[1] ?? 0], moments.slice()),
    ),
  );
  const calls = new Map<string, number>();
  const parts = await awq.transformBlock?.({
    ...problem,
    compensated: true,
    tryQuantizer: (name, of, hessian) => {
      calls.set(name, (calls.get(name) ?? 0) + 1);
      return quantize(of, hessian);
    },
  });
  expect([...calls.keys()].sort()).toEqual(problem.block.slots.map((s) => s.name).sort());
  // At most every second of the 20 ratios, and the two beside the best.
  for (const count of calls.values()) expect(count).toBeLessThanOrEqual(12);
  const own = parts?.find(({ name }) => name === "mlp.up_proj");
  const loss = await formOf(alone.dequantize(), original, moments);
  const energy = await formOf(new Float32Array(original.size), original, moments);
  expect((own?.figures.errorUnscaled ?? 0) / (loss / energy)).toBeCloseTo(1, 3);
  for (const { figures } of parts ?? []) {
    expect(figures.error).toBeLessThanOrEqual(figures.errorUnscaled);
  }
});

/** `tr((Ŵ − W)·H·(Ŵ − W)ᵀ)` */
async function formOf(
  values: Float32Array,
  original: Tensor<"f32">,
  moments: Float64Array,
): Promise<number> {
  const [, width = 0] = original.shape;
  const weights = await original.read();
  const rows = Tensor.from(
    backend,
    "f32",
    original.shape,
    values.map((value, i) => value - weights[i]),
  );
  const h = Tensor.from(backend, "f32", [width, width], Float32Array.from(moments));
  return (await quadraticForms(rows, h)).reduce((sum, value) => sum + value, 0);
}

test("outputs of the MLP count by the factors of their tokens, those of attention do not", async () => {
  const ratios = async (massive: number): Promise<(number | undefined)[]> => {
    const loaded = await loadCase(backend, readModelCase("llama"));
    const problem = await problemOf(loaded, { clip: false });
    const factors = new Float32Array(4 * 24).fill(1);
    factors.fill(massive, 0, 24);
    const tokenFactors = [Tensor.from(backend, "f32", [96], factors)];
    const parts = await awq.transformBlock?.({ ...problem, tokenFactors });
    return (parts ?? []).slice(0, 3).map(({ figures }) => figures.errorUnscaled);
  };
  const [plain, one] = [await ratios(0), await ratios(1)];
  expect(plain[0]).toBe(one[0]);
  expect(plain[2]).not.toBeCloseTo(one[2] as number, 6);
});

test("clipped weights stay within their ranges; queries and keys are left alone", async () => {
  const loaded = await loadCase(backend, readModelCase("llama"));
  const parts = await awq.transformBlock?.(await problemOf(loaded, {}));
  const clipped = (parts ?? []).filter(({ figures }) => "range" in figures);
  expect(clipped.map(({ name }) => name)).toEqual([
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
  ]);
  for (const { figures } of clipped) {
    expect(figures.range).toBeGreaterThanOrEqual(0.5);
    expect(figures.range).toBeLessThan(1);
    expect(figures.errorLeft).toBeLessThan(1);
  }
});

test.each([
  { compensated: true, options: {}, clips: false },
  { compensated: true, options: { clip: true }, clips: true },
  { compensated: false, options: { clip: false }, clips: false },
])("before a method that compensates nothing is clipped unless asked for: %j", async (given) => {
  const loaded = await loadCase(backend, readModelCase("llama"));
  const problem = await problemOf(loaded, given.options);
  const parts = await awq.transformBlock?.({ ...problem, compensated: given.compensated });
  expect(parts?.some(({ figures }) => "range" in figures)).toBe(given.clips);
});

test("a run that is cancelled stops at the next ratio, with the weights in their slots", async () => {
  const loaded = await loadCase(backend, readModelCase("llama"));
  const controller = new AbortController();
  controller.abort();
  const problem = await problemOf(loaded, {}, controller.signal);
  await expect(awq.transformBlock?.(problem)).rejects.toThrow(CancelledError);
});

test("awq warns below 3 bits and nowhere else", () => {
  for (const id of ["w2g64", "w1.58", "w1"]) expect(awq.caution?.(parseScheme(id))).toContain(id);
  for (const id of ["w3", "w4g128", "w8"]) expect(awq.caution?.(parseScheme(id))).toBeNull();
});
