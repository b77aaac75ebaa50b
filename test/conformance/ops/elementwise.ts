import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { DType } from "../../../src/tensor/dtype.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { Prng } from "../../../src/util/prng.ts";
import { blankOutput, floatSample, normalSample, type Sample, upload } from "./data.ts";
import { type Exact, exactly, expectSame, expectWithin } from "./expect-within.ts";
import { erfc } from "./formulas.ts";
import { remember } from "./remember.ts";

const { fround } = Math;

/** Lengths around the widths of vectors, and one that is split over threads. */
const lengths = [1, 7, 16, 33, 172, 40_000] as const;
const special = [
  0, -0, 1, -1, 1e-30, -1e-30, 20, -20, 60, -60, 88.8, -88.8, 104, -104, 1e30, -1e30,
];

/** Checks the elementwise ops. */
export function testElementwise(open: () => Backend): void {
  testArithmetic(open);
  testActivations(open);
  testCast(open);
  testRoundScales(open);
}

function testArithmetic(open: () => Backend): void {
  test("add is a + b to the bit, of one shape or with one row for all, also in place", async () => {
    for (const length of lengths) {
      for (const rows of [1, 3]) {
        const backend = open();
        const a = normalSample([3, length], 1);
        const b = normalSample(rows === 1 ? [length] : [3, length], 2);
        const out = blankOutput(backend, a.shape);
        const inPlace = upload(backend, a);
        backend.kernels.add(out, upload(backend, a), upload(backend, b));
        backend.kernels.add(inPlace, inPlace, upload(backend, b));
        const want = a.values.map((x, i) => fround(x + b.values[i % b.values.length]));
        expectSame(await out.read(), want);
        expectSame((await inPlace.read()) as Float32Array, want);
      }
    }
  });

  test("multiply is a · b to the bit, of one shape or with one row for all, also in place", async () => {
    for (const length of lengths) {
      for (const rows of [1, 3]) {
        const backend = open();
        const a = normalSample([3, length], 1);
        const b = normalSample(rows === 1 ? [length] : [3, length], 2);
        const out = blankOutput(backend, a.shape);
        const inPlace = upload(backend, a);
        backend.kernels.multiply(out, upload(backend, a), upload(backend, b));
        backend.kernels.multiply(inPlace, inPlace, upload(backend, b));
        const want = a.values.map((x, i) => fround(x * b.values[i % b.values.length]));
        expectSame(await out.read(), want);
        expectSame((await inPlace.read()) as Float32Array, want);
      }
    }
  });

  test("scaleRows is factors[t] · x[t] to the bit, also in place", async () => {
    for (const length of lengths) {
      const backend = open();
      const x = normalSample([3, length], 1);
      const factors = normalSample([3], 2);
      const out = blankOutput(backend, x.shape);
      const inPlace = upload(backend, x);
      backend.kernels.scaleRows(out, upload(backend, x), upload(backend, factors));
      backend.kernels.scaleRows(inPlace, inPlace, upload(backend, factors));
      const want = x.values.map((value, i) =>
        fround(value * factors.values[Math.floor(i / length)]),
      );
      expectSame(await out.read(), want);
      expectSame((await inPlace.read()) as Float32Array, want);
    }
  });
}

function testActivations(open: () => Backend): void {
  const inputs: readonly Sample[] = [
    floatSample([special.length], special),
    ...lengths.map((length) => normalSample([length], length, "f32", 3)),
  ];

  test("swiglu is gate / (1 + e⁻ᵍᵃᵗᵉ) · up, also in place", async () => {
    for (const gate of inputs) {
      const backend = open();
      const up = normalSample(gate.shape, 9);
      const out = blankOutput(backend, gate.shape);
      const inPlace = upload(backend, gate);
      backend.kernels.swiglu(out, upload(backend, gate), upload(backend, up));
      backend.kernels.swiglu(inPlace, inPlace, upload(backend, up));
      const want = gate.values.map((x, i) => (x / (1 + Math.exp(-x))) * up.values[i]);
      const actual = await out.read();
      expectWithin(actual, exactly(want), { relative: 1e-6, absolute: 1e-30 });
      expectSame((await inPlace.read()) as Float32Array, actual);
    }
  });

  test("relu is max(x, 0), also in place", async () => {
    for (const x of inputs) {
      const backend = open();
      const out = blankOutput(backend, x.shape);
      const inPlace = upload(backend, x);
      backend.kernels.relu(out, upload(backend, x));
      backend.kernels.relu(inPlace, inPlace);
      const want = x.values.map((value) => (value > 0 ? value : 0));
      expectWithin(await out.read(), exactly(want), { relative: 0, absolute: 0 });
      expectWithin((await inPlace.read()) as Float32Array, exactly(want), { relative: 0 });
    }
  });

  test("softCap is cap · tanh(x / cap), also in place", async () => {
    for (const x of inputs) {
      for (const cap of [30, 0.7]) {
        const backend = open();
        const out = blankOutput(backend, x.shape);
        const inPlace = upload(backend, x);
        backend.kernels.softCap(out, upload(backend, x), cap);
        backend.kernels.softCap(inPlace, inPlace, cap);
        const want = x.values.map((value) => cap * Math.tanh(value / cap));
        const actual = await out.read();
        expectWithin(actual, exactly(want), { relative: 6e-7, absolute: 1e-37 });
        expectSame((await inPlace.read()) as Float32Array, actual);
      }
    }
  });

  const tanhShare = (x: number) =>
    1 / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  for (const [approximation, share] of [
    ["none", (x: number) => erfc(-x / Math.SQRT2) / 2],
    ["tanh", tanhShare],
  ] as const) {
    test(`gelu (${approximation}) is x · Φ(x), also in place`, async () => {
      for (const [index, x] of inputs.entries()) {
        const backend = open();
        const out = blankOutput(backend, x.shape);
        const inPlace = upload(backend, x);
        backend.kernels.gelu(out, upload(backend, x), approximation);
        backend.kernels.gelu(inPlace, inPlace, approximation);
        const actual = await out.read();
        const exact = remember(`gelu ${approximation} ${index}`, () =>
          geluFormula(x.values, share),
        );
        // In the tail the rounding of the exponent is a relative error of the result.
        expectWithin(actual, exact, { relative: 3e-6, absolute: 1e-12 });
        expectSame((await inPlace.read()) as Float32Array, actual);
      }
    });
  }
}

/** x · Φ(x) at no more than 2000 points (the exact Φ is an integral), elsewhere anything goes. */
function geluFormula(x: Float64Array, share: (x: number) => number): Exact {
  const every = Math.ceil(x.length / 2000);
  const values = x.map((value, i) => {
    if (i % every !== 0) return 0;
    return value < -40 ? -0 : value > 40 ? value : value * share(value);
  });
  const magnitudes = values.map((value, i) =>
    i % every === 0 ? Math.abs(value) : Number.POSITIVE_INFINITY,
  );
  return { values, magnitudes };
}

/** Bits of interest: zeros, subnormals, ties, the largest numbers, infinities, NaN; then noise. */
function castInputs(dtype: "f64" | "f32" | "f16" | "bf16"): Tensor["storage"] & ArrayLike<number> {
  if (dtype === "f16" || dtype === "bf16") return Uint16Array.from({ length: 65536 }, (_, i) => i);
  const tie = 1 + 2 ** -11;
  const values = [0, -0, 1, tie, -tie, tie + 2 ** -10, tie + 2 ** -40, tie - 2 ** -40];
  values.push(
    1 + 2 ** -8,
    1 + 2 ** -8 + 2 ** -45,
    1 + 3 * 2 ** -8,
    1 + 2 ** -24,
    1 + 2 ** -24 + 2 ** -50,
  );
  values.push(65504, 65519.99, 65520, 65536, 3.3895e38, 3.4e38, 3.4028236e38, 1e300, -1e300);
  values.push(
    2 ** -24,
    2 ** -25,
    2 ** -25 * 1.0001,
    1.5 * 2 ** -24,
    2 ** -14,
    1e-40,
    1e-45,
    1e-320,
    5e-324,
  );
  values.push(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  const noise = normalSample([3000], 12).values;
  const all = [...values, ...noise, ...noise.map((x) => x * 1e-6), ...noise.map((x) => x * 1e4)];
  return dtype === "f64" ? Float64Array.from(all) : Float32Array.from(all);
}

/** Bits of significand and exponents of the formats that values are rounded to. */
const formats = {
  f16: { precision: 11, lowest: -14, largest: 65504 },
  bf16: { precision: 8, lowest: -126, largest: 2 ** 127 * (2 - 2 ** -7) },
  f32: { precision: 24, lowest: -126, largest: 2 ** 127 * (2 - 2 ** -23) },
} as const;

/** Rounds a number to a format, to the nearest, ties to even. */
function roundTo(value: number, { precision, lowest, largest }: (typeof formats)["f16"]): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  let exponent = Math.floor(Math.log2(Math.abs(value)));
  if (Math.abs(value) >= 2 ** (exponent + 1)) exponent++;
  if (Math.abs(value) < 2 ** exponent) exponent--;
  const unit = 2 ** (Math.max(exponent, lowest) - precision + 1);
  const floor = Math.floor(value / unit);
  const rest = value / unit - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  const rounded = (floor + (up ? 1 : 0)) * unit;
  if (Math.abs(rounded) > largest) return Math.sign(value) * Number.POSITIVE_INFINITY;
  return rounded === 0 ? Math.sign(value) * 0 : rounded;
}

function testCast(open: () => Backend): void {
  const dtypes = ["f64", "f32", "f16", "bf16"] as const;
  describe("cast", () => {
    for (const from of dtypes) {
      for (const to of dtypes) {
        test(`${from} → ${to} rounds once, to the nearest, ties to even`, async () => {
          const backend = open();
          const input = castInputs(from);
          const x = Tensor.from(backend, from, [input.length], input as never);
          const out = Tensor.zeros(backend, to, [input.length]);
          backend.kernels.cast(out, x);
          const values = decode(from, input);
          const want = to === "f64" ? values : values.map((v) => roundTo(v, formats[to] as never));
          expectSame(decode(to, await out.read()), want);
        });
      }
    }
  });
}

function testRoundScales(open: () => Backend): void {
  test("roundScales: float16 values between the least and 65504, NaN stays NaN, also in place", async () => {
    const backend = open();
    const values = [0.1, 1e-5, 9e-6, 0, -3, 1e6, 65504, 0.333, Number.NaN];
    const x = upload(backend, floatSample([values.length], values));
    const out = blankOutput(backend, x.shape);
    backend.kernels.roundScales(out, x, 1e-5, false);
    backend.kernels.roundScales(x, x, 1e-5, false);
    const limited = values.map((v) => Math.min(Math.max(v, fround(1e-5)), 65504));
    const want = limited.map((v) => roundTo(fround(v), formats.f16 as never));
    expectSame(await out.read(), want);
    expectSame((await x.read()) as Float32Array, want);
  });

  test("roundScales by thirds: two thirds of a scale are a float16 value, within 0.2 % of it", async () => {
    const backend = open();
    const random = new Prng(7);
    const values = Float32Array.from({ length: 500 }, () => 2 ** (random.uniform() * 26 - 11));
    const x = Tensor.from(backend, "f32", [values.length], values);
    const out = blankOutput(backend, x.shape);
    backend.kernels.roundScales(out, x, 1e-5, true);
    for (const [i, scale] of ((await out.read()) as Float32Array).entries()) {
      const level = fround(scale * fround(2 / 3));
      expect(roundTo(level, formats.f16 as never)).toBe(level);
      expect(roundTo(scale, formats.f16 as never)).toBe(scale);
      expect(Math.abs(scale / values[i] - 1)).toBeLessThan(0.002);
    }
  });

  test("roundScales by thirds: half to even at 9 bits, the least, the largest and NaN", async () => {
    const backend = open();
    const pairs: [scale: number, rounded: number][] = [
      [3 * 256.5, 3 * 256],
      [3 * 257.5, 3 * 258],
      [1.5, 1.5],
      [0, 1.0013580322265625e-5],
      [1e6, 65472],
      [Number.NaN, Number.NaN],
    ];
    const x = upload(
      backend,
      floatSample(
        [pairs.length],
        pairs.map(([scale]) => scale),
      ),
    );
    backend.kernels.roundScales(x, x, 1e-5, true);
    const rounded = Array.from((await x.read()) as Float32Array);
    expect(rounded.map((v) => Math.abs(v))).toEqual(
      pairs.map(([, want]) => roundTo(fround(want), formats.f16 as never)),
    );
  });
}

/** Reads bit patterns as numbers, without the code under test. */
function decode(dtype: DType, array: ArrayLike<number | bigint>): Float64Array {
  if (dtype !== "f16" && dtype !== "bf16") return Float64Array.from(array as ArrayLike<number>);
  const [exponentBits, fractionBits] = dtype === "f16" ? [5, 10] : [8, 7];
  const bias = 2 ** (exponentBits - 1) - 1;
  return Float64Array.from(array as ArrayLike<number>, (bits) => {
    const sign = bits >>> 15 ? -1 : 1;
    const exponent = (bits >>> fractionBits) & (2 ** exponentBits - 1);
    const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
    if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
    if (exponent < 2 ** exponentBits - 1) return sign * (1 + fraction) * 2 ** (exponent - bias);
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  });
}
