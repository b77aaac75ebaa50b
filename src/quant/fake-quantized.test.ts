import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import type { StraightThrough } from "../backend/training-kernels.ts";
import { Tape } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { fakeQuantize, fakeQuantizeRows } from "../tensor/training-ops.ts";
import { halfBitsToFloat, floatToHalfBits } from "../util/half.ts";
import { Prng } from "../util/prng.ts";
import { FakeQuantized } from "./fake-quantized.ts";
import { decodeCode, type ScaleStart } from "./grid.ts";
import { grids } from "./grids/index.ts";
import { makeScheme, parseScheme, type Scheme } from "./scheme.ts";

const backend = createReferenceBackend();

async function fakeQuantized(
  values: readonly number[] | Float32Array,
  scheme: Scheme,
  rows = 1,
  start?: ScaleStart,
): Promise<FakeQuantized> {
  const shape = [rows, values.length / rows];
  const weight = Tensor.from(backend, "f32", shape, Float32Array.from(values));
  const { training } = scheme.grid;
  return FakeQuantized.of(weight, scheme, training && start ? { ...training, start } : training);
}

/** Sets the scale of all groups. */
function setScale({ scales }: FakeQuantized, scale: number): void {
  (scales as Tensor).backend.kernels.cast(scales as Tensor, filled(scales as Tensor, scale));
}

function filled({ shape, size }: Tensor, value: number): Tensor<"f32"> {
  return Tensor.from(backend, "f32", shape, new Float32Array(size).fill(value));
}

/** Values, and gradients of `Σ upstream · ŵ`. */
async function gradients(weight: FakeQuantized, upstream: Float32Array) {
  const tape = new Tape();
  tape.watch(...weight.parameters.map(({ value }) => value));
  const out = tape.run(() => weight.weights()) as Tensor<"f32">;
  const values = await out.read();
  tape.backward([[out, Tensor.from(backend, "f32", out.shape, upstream)]]);
  const take = async (of: Tensor<"f32"> | null) => [
    ...((of && (await tape.takeGradient(of)?.read())) ?? []),
  ];
  const byWeight = await take(weight.weight);
  const byScale = await take(weight.scales);
  const byZero = await take(weight.zeros);
  tape.release();
  return { values: [...values], byWeight, byScale, byZero };
}

/** What the gradient of a learned scale is multiplied by. */
function factorOf({ scheme, weight }: FakeQuantized): number {
  const top = scheme.grid.training?.topLevel;
  return top ? 1 / Math.sqrt(weight.size * top) : 1;
}

interface Vector {
  readonly scheme: string;
  readonly scale: number;
  readonly w: readonly number[];
  readonly values: readonly number[];
  /** One a weight; the gradient of the scale is their sum, times the factor. */
  readonly byScale: readonly number[];
  readonly mask?: readonly number[];
}

const vectors: readonly Vector[] = [
  {
    scheme: "w1.58-seq",
    scale: 1.5,
    w: [-1.8, -0.75, -0.45, 0, 0.225, 0.45, 0.75, 1.125, 1.8],
    values: [-1, -1, 0, 0, 0, 0, 1, 1, 1],
    byScale: [-1, -0.166667, 0.3, 0, -0.15, -0.3, 0.166667, -0.083333, 1],
    mask: [0, 1, 1, 1, 1, 1, 1, 1, 0],
  },
  {
    scheme: "w2-seq",
    scale: 2,
    w: [-2.4, -1, -0.6, -0.2, 0, 0.3, 0.6, 1, 1.5, 2.4],
    values: [-1.5, -1.5, -0.5, -0.5, 0.5, 0.5, 0.5, 0.5, 1.5, 1.5],
    byScale: [-0.75, -0.25, 0.05, -0.15, 0.25, 0.1, -0.05, -0.25, 0, 0.75],
    mask: [0, 1, 1, 1, 1, 1, 1, 1, 1, 0],
  },
  {
    scheme: "w3-sym",
    scale: 0.5,
    w: [-2.4, -1.98, -1, -0.6, -0.2, 0, 0.3, 0.6, 1.5, 1.98],
    values: [-2, -2, -1, -0.5, 0, 0, 0.5, 0.5, 1.5, 1.5],
    byScale: [-4, -0.04, 0, 0.2, 0.4, 0, 0.4, -0.2, 0, 3],
    mask: [0, 1, 1, 1, 1, 1, 1, 1, 1, 0],
  },
  {
    scheme: "w4-sym",
    scale: 0.25,
    w: [-2.4, -1.98, -0.6, -0.2, 0.3, 0.6, 1.5, 1.98],
    values: [-2, -2, -0.5, -0.25, 0.25, 0.5, 1.5, 1.75],
    byScale: [-8, -0.08, 0.4, -0.2, -0.2, -0.4, 0, 7],
  },
  {
    scheme: "w1-elastic",
    scale: 0.5,
    w: [-0.7, -0.5, -0.1, 0, 0.2, 0.5, 0.6],
    values: [-0.5, -0.5, -0.5, 0.5, 0.5, 0.5, 0.5],
    byScale: [-1, -1, -1, 1, 1, 1, 1],
    mask: [0, 1, 1, 1, 1, 1, 0],
  },
];

describe("values and gradients of known vectors", () => {
  test.each(vectors)("$scheme", async ({ scheme, scale, w, values, byScale, mask }) => {
    for (const [i, expected] of byScale.entries()) {
      const weight = await fakeQuantized(w, parseScheme(scheme));
      setScale(weight, scale);
      const upstream = Float32Array.from(w, (_, j) => (i === j ? 1 : 0));
      const found = await gradients(weight, upstream);
      values.forEach((value, j) => expect(found.values[j]).toBeCloseTo(value, 6));
      expect(found.byScale[0] / factorOf(weight)).toBeCloseTo(expected, 5);
      if (mask) expect(found.byWeight[i]).toBe(mask[i]);
    }
  });

  test("asymmetric groups: scale and zero point span the weights", async () => {
    const weight = await fakeQuantized([-0.5, -0.1, 0.2, 0.7], parseScheme("w2"));
    expect((await weight.scales?.read())?.[0]).toBeCloseTo(0.4, 6);
    expect(await weight.zeros?.read()).toEqual(Float32Array.of(1));
    const { values } = await gradients(weight, new Float32Array(4));
    [-0.4, 0, 0.4, 0.8].forEach((value, i) => expect(values[i]).toBeCloseTo(value, 3));
    expect([...(await weight.freeze()).unpackCodes()]).toEqual([0, 1, 2, 3]);
  });

  test("asymmetric groups: clipped weights move the zero point, the others do not", async () => {
    const weight = await fakeQuantized([-1, -0.1, 0.2, 2], parseScheme("w2"));
    setScale(weight, 0.5);
    backend.kernels.cast(weight.zeros as Tensor, filled(weight.zeros as Tensor, 1));
    const found = await gradients(weight, Float32Array.of(1, 10, 100, 1000));
    expect(found.values).toEqual([-0.5, 0, 0, 1]);
    expect(found.byWeight).toEqual([0, 10, 100, 0]);
    // Inside: (q − z) − w/s; clipped: q − z.
    expect(found.byScale[0]).toBeCloseTo(-1 + 10 * 0.2 + 100 * -0.4 + 1000 * 2, 3);
    expect(found.byZero[0]).toBeCloseTo(-0.5 * (1 + 1000), 4);
  });

  test("absmean ternary and binary: the scale follows the weights, every gradient passes", async () => {
    const w = [-1, -0.2, 0.1, 0.9];
    const scale = halfBitsToFloat(floatToHalfBits(0.55));
    for (const [id, values] of [
      ["w1.58", [-scale, 0, 0, scale]],
      ["w1", [-scale, -scale, scale, scale]],
    ] as const) {
      const weight = await fakeQuantized(w, parseScheme(id));
      expect(weight.parameters.map(({ role }) => role)).toEqual(["weight"]);
      const found = await gradients(weight, Float32Array.of(1, 2, 3, 4));
      found.values.forEach((value, i) => expect(value).toBeCloseTo(values[i], 6));
      expect(found.byWeight).toEqual([1, 2, 3, 4]);
    }
  });
});

test("signs without a scale: the gradient is that of tanh(w) + w/1000 (OneBit)", async () => {
  const w = Float32Array.of(-2, -0.4, -0.01, 0, 0.01, 0.7, 3);
  const weight = Tensor.from(backend, "f32", [1, w.length], w);
  const how = parseScheme("w1-elastic").grid.training?.straightThrough as StraightThrough;
  const tape = new Tape();
  tape.watch(weight);
  const none = { scales: null, zeros: null, groupSize: w.length };
  const out = tape.run(() => fakeQuantize(weight, none, how));
  expect([...(await out.read())]).toEqual([-1, -1, -1, 1, 1, 1, 1]);
  tape.backward([[out, filled(weight, 1)]]);
  const found = (await tape.takeGradient(weight)?.read()) ?? [];
  const smooth = (x: number) => Math.tanh(x) + x / 1000;
  w.forEach((x, i) => {
    expect(found[i]).toBeCloseTo((smooth(x + 1e-5) - smooth(x - 1e-5)) / 2e-5, 4);
  });
  tape.release();
});

test("rows of activations: 2·127 + 1 values around zero, gradients pass straight through", async () => {
  const prng = new Prng(2);
  const x = Tensor.from(
    backend,
    "f32",
    [3, 20],
    Float32Array.from({ length: 60 }, () => prng.normal()),
  );
  const upstream = Float32Array.from({ length: 60 }, () => prng.normal());
  const tape = new Tape();
  tape.watch(x);
  const out = tape.run(() => fakeQuantizeRows(x, 127));
  const values = await out.read();
  const before = await x.read();
  for (let row = 0; row < 3; row++) {
    const part = before.subarray(row * 20, row * 20 + 20);
    const scale = Math.max(...part.map(Math.abs)) / 127;
    part.forEach((value, i) => {
      const steps = values[row * 20 + i] / scale;
      expect(steps).toBeCloseTo(Math.round(value / scale), 3);
    });
  }
  tape.backward([[out, Tensor.from(backend, "f32", [3, 20], upstream)]]);
  expect(await tape.takeGradient(x)?.read()).toEqual(upstream);
  tape.release();
});

describe("scales at the start", () => {
  const w = [-0.5, 0.25, 0.75, -0.1];
  test.each([
    ["w1-elastic", 0.4],
    ["w1.58-seq", 0.75],
    ["w2-seq", 0.75],
    ["w2-sym", 0.75],
    ["w3-sym", 0.75 / 3],
    ["w4-sym", 0.75 / 7],
    ["w2", 1.25 / 3],
  ])("%s: %d", async (id, scale) => {
    const weight = await fakeQuantized(w, parseScheme(id));
    expect((await weight.scales?.read())?.[0]).toBeCloseTo(scale, 6);
  });

  test("LSQ's own rule, and groups of zeros", async () => {
    const start = { of: "mean", factor: 2 / Math.sqrt(3) } as const;
    const weight = await fakeQuantized(w, parseScheme("w3-sym"), 1, start);
    expect((await weight.scales?.read())?.[0]).toBeCloseTo((2 * 0.4) / Math.sqrt(3), 6);
    const nothing = await fakeQuantized(new Array(16).fill(0), parseScheme("w2g8-seq"));
    const { values } = await gradients(nothing, new Float32Array(16));
    expect(values.every((value) => Number.isFinite(value))).toBe(true);
  });
});

const trainable = grids
  .filter(({ training }) => training !== null)
  .flatMap((grid) => [null, 16].map((size) => ({ scheme: makeScheme(grid, size) })))
  .map(({ scheme }) => ({ name: scheme.id, scheme }));

describe.each(trainable)("$name", ({ scheme }) => {
  const prng = new Prng(11);
  const values = Float32Array.from({ length: 3 * 40 }, () => prng.normal() * 0.05);

  test("what freeze packs is what weights() gives, to the bit", async () => {
    const weight = await fakeQuantized(values, scheme, 3);
    if (weight.scales) {
      const scales = weight.scales.storage as Float32Array;
      scales.forEach((scale, i) => {
        scales[i] = scale * (0.4 + 0.3 * (i % 3));
      });
    }
    const zeros = weight.zeros?.storage as Float32Array | undefined;
    zeros?.forEach((_, i) => {
      zeros[i] += 0.4 * i - 1;
    });
    const { values: seen } = await gradients(weight, new Float32Array(values.length));
    const packed = await weight.freeze();
    expect(packed.scheme).toBe(scheme);
    // Kernels of both sides round once; a product with 2/3 may differ in its last bit.
    packed.dequantize().forEach((value, i) => expect(value).toBeCloseTo(seen[i], 7));
  });

  test("gradients are finite differences with the rounding held", async () => {
    const weight = await fakeQuantized(values, scheme, 3);
    const how = scheme.grid.training?.straightThrough;
    if (!weight.scales || !how) return;
    // Clips some weights: a gradient at the edge of the range is another one on either side.
    const scales = weight.scales.storage as Float32Array;
    scales.forEach((scale, i) => {
      scales[i] = scale * 0.6371;
    });
    const upstream = Float32Array.from(values, () => prng.normal());
    const found = await gradients(weight, upstream);
    const rounded = await roundedScales(weight);
    const zeros = (await weight.zeros?.read()) ?? new Float32Array(rounded.length);
    const byScale = new Float64Array(rounded.length);
    const byZero = new Float64Array(rounded.length);
    values.forEach((w, i) => {
      const group = groupOf(scheme, rounded.length, i);
      const at = { w, s: rounded[group], z: zeros[group] };
      const value = heldRounding(how, at, found.values[i]);
      const slope = (name: keyof Place, step: number) =>
        (value({ ...at, [name]: at[name] + step }) - value({ ...at, [name]: at[name] - step })) /
        (2 * step);
      byScale[group] += upstream[i] * slope("s", 1e-7) * factorOf(weight);
      byZero[group] += upstream[i] * slope("z", 1e-4);
      expect(found.byWeight[i]).toBeCloseTo(upstream[i] * slope("w", 1e-7), 4);
    });
    found.byScale.forEach((gradient, i) => expect(gradient).toBeCloseTo(byScale[i], 3));
    if (weight.zeros) found.byZero.forEach((g, i) => expect(g).toBeCloseTo(byZero[i], 4));
  });

  test("levels of trained values are levels of the grid", async () => {
    const weight = await fakeQuantized(values, scheme, 3);
    const packed = await weight.freeze();
    const codes = packed.unpackCodes();
    const zeros = packed.unpackZeros();
    const scales = await roundedScales(weight);
    packed.dequantize().forEach((value, i) => {
      const group = groupOf(scheme, scales.length, i);
      const scale = halfBitsToFloat(packed.parts.scales[group]);
      expect(value).toBeCloseTo(scale * decodeCode(scheme.grid, codes[i], zeros?.[group] ?? 0), 6);
    });
  });
});

/** Scales as the forward pass uses them. */
async function roundedScales(weight: FakeQuantized): Promise<number[]> {
  const { scales } = weight;
  if (scales) return Array.from(await scales.read(), (s) => halfBitsToFloat(floatToHalfBits(s)));
  return Array.from((await weight.freeze()).parts.scales, halfBitsToFloat);
}

/** Group of weight i in 3 rows of 40 with `groups` groups in all. */
function groupOf({ groupSize }: Scheme, groups: number, i: number): number {
  return (Math.floor(i / 40) * groups) / 3 + Math.floor((i % 40) / (groupSize ?? 40));
}

/** Where a weight is seen from: itself, its scale and its zero point. */
interface Place {
  readonly w: number;
  readonly s: number;
  readonly z: number;
}

/**
 * The value of a weight as a function of all three, with what rounding does to it at `at` (where it
 * is `value`) held: that is what straight-through gradients differentiate. The slopes of clipped
 * weights are the rule's own.
 */
function heldRounding(how: StraightThrough, at: Place, value: number): (place: Place) => number {
  if (how.rule === "sign") {
    // Binarization passes the weight's gradient inside the range, though its value does not move.
    const isInside = Math.abs(at.w / at.s) <= 1;
    return ({ w, s }) => s * Math.sign(value) + (isInside ? w - at.w : 0);
  }
  if (how.rule === "zero-point") {
    const roundedZero = Math.round(at.z) - at.z;
    const residual = Math.round(at.w / at.s) - at.w / at.s;
    const code = Math.round(at.w / at.s) + Math.round(at.z);
    return ({ w, s, z }) => {
      const zero = z + roundedZero;
      if (code < 0) return s * -zero;
      return code > how.high ? s * (how.high - zero) : s * (w / s + residual);
    };
  }
  const u = at.w / at.s;
  const residual = value / at.s - u;
  return ({ w, s }) => {
    if (u < how.low) return s * how.lowSlope;
    return u > how.high ? s * how.highSlope : s * (w / s + residual);
  };
}
