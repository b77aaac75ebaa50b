import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { FitOptions } from "../../../src/backend/kernels.ts";
import { type Grid, decodeCode } from "../../../src/quant/grid.ts";
import { grids } from "../../../src/quant/grids/index.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../src/util/half.ts";
import { floatSample, normalSample, type Sample, upload } from "./data.ts";
import { exactly, expectSame, expectWithin } from "./expect-within.ts";
import { remember } from "./remember.ts";

/** Checks `inverseCholesky`, `fitColumns` and `quantizeColumns`. */
export function testQuantization(open: () => Backend): void {
  testInverseCholesky(open);
  testFitColumns(open);
  testQuantizeColumns(open);
}

/** xᵀ·x of random rows plus a diagonal: symmetric and positive definite. */
function positiveMatrix(n: number, seed: number): Float64Array {
  const x = normalSample([2 * n, n], seed).values;
  const h = new Float64Array(n * n);
  for (let t = 0; t < 2 * n; t++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) h[i * n + j] += x[t * n + i] * x[t * n + j];
    }
  }
  return h;
}

async function invert(backend: Backend, h: Tensor<"f64">, diagonal: Float64Array) {
  const n = diagonal.length;
  const u = Tensor.from(backend, "f32", [n, n], new Float32Array(n * n).fill(Number.NaN));
  const status = Tensor.from(backend, "i32", [1], Int32Array.of(-7));
  const pivots = Tensor.from(backend, "f64", [n], diagonal.slice());
  backend.kernels.inverseCholesky(u, h, pivots, status);
  return { u: await u.read(), status: (await status.read())[0] };
}

/** The largest |uᵀ·u·a − 1|. */
function inverseError(u: Float32Array, a: Float64Array, n: number): number {
  let worst = 0;
  for (let j = 0; j < n; j++) {
    const ua = new Float64Array(n);
    for (let t = 0; t < n; t++) {
      for (let k = t; k < n; k++) ua[t] += u[t * n + k] * a[k * n + j];
    }
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let t = 0; t <= i; t++) sum += u[t * n + i] * ua[t];
      worst = Math.max(worst, Math.abs(sum - (i === j ? 1 : 0)));
    }
  }
  return worst;
}

function testInverseCholesky(open: () => Backend): void {
  describe("inverseCholesky", () => {
    test("uᵀ·u is the inverse, u is upper, and a second diagonal can follow", async () => {
      for (const n of [1, 2, 5, 33, 64, 130]) {
        const backend = open();
        const a = remember(`positive ${n}`, () => positiveMatrix(n, n));
        const h = Tensor.from(backend, "f64", [n, n], a.slice());
        for (const damping of [0, 3.5]) {
          const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i] + damping);
          const damped = a.map((value, i) => (i % (n + 1) === 0 ? value + damping : value));
          const { u, status } = await invert(backend, h, diagonal);
          expect(status).toBe(0);
          expect(inverseError(u, damped, n)).toBeLessThan(1e-4);
          for (let i = 0; i < n; i++) {
            expect(u[i * n + i]).toBeGreaterThan(0);
            expect(u.subarray(i * n, i * n + i).every((value) => value === 0)).toBe(true);
          }
        }
      }
    });

    test("a pivot that is not positive is named and nothing crashes", async () => {
      for (const n of [1, 3, 70, 150]) {
        const bad = Math.floor(n / 2);
        for (const pivot of [0, -2, Number.NaN]) {
          const backend = open();
          const h = Tensor.zeros(backend, "f64", [n, n]);
          const diagonal = new Float64Array(n).fill(1);
          diagonal[bad] = pivot;
          expect((await invert(backend, h, diagonal)).status).toBe(bad + 1);
        }
      }
    });
  });
}

const half = (value: number) => halfBitsToFloat(floatToHalfBits(value));
const noSearch = { group: 0, search: null };

async function fit(backend: Backend, weight: Sample, options: FitOptions, groups = 1) {
  const [rows = 0] = weight.shape;
  const scales = Tensor.from(backend, "f32", [rows, groups], new Float32Array(rows * groups));
  const zeros = Tensor.from(backend, "f32", [rows, groups], new Float32Array(rows * groups));
  backend.kernels.fitColumns(scales, zeros, upload(backend, weight), options);
  return { scales: await scales.read(), zeros: await zeros.read() };
}

/** `Σ|ŵ − w|^norm` with every weight at its nearest level. */
function nearestError(
  weights: Float64Array,
  grid: Grid,
  scale: number,
  zero: number,
  norm: number,
): number {
  let error = 0;
  for (const w of weights) {
    let least = Number.POSITIVE_INFINITY;
    for (let code = 0; code < grid.levels; code++) {
      least = Math.min(least, Math.abs(scale * decodeCode(grid, code, zero) - w));
    }
    error += least ** norm;
  }
  return error;
}

function testFitColumns(open: () => Backend): void {
  describe("fitColumns", () => {
    const weight = normalSample([5, 172], 21, "f32", 0.02);
    const row = (i: number, start: number, end: number) =>
      weight.values.subarray(i * 172 + start, i * 172 + end);

    for (const grid of grids) {
      test(`w${grid.bits} ${grid.id}: the scale follows the rule, rounded to float16`, async () => {
        const options = { start: 128, end: 172, grid, rule: grid.scaleRule, ...noSearch, group: 1 };
        const { scales, zeros } = await fit(open(), weight, options, 3);
        for (let i = 0; i < 5; i++) {
          const group = row(i, 128, 172);
          const [low, high] = [Math.min(...group, 0), Math.max(...group, 0)];
          const mean = group.reduce((sum, x) => sum + Math.abs(x), 0) / group.length;
          const top = grid.levels - 1;
          const rules = {
            range: (high - low) / top,
            magnitude: (2 * Math.max(high, -low)) / top,
            mean,
          };
          const scale = rules[grid.scaleRule];
          // A scale that lies at a tie of float16 may be rounded either way.
          expect(Math.abs(scales[i * 3 + 1] - scale) / scale).toBeLessThan(2 ** -11 * 1.001);
          const zero = grid.scaleRule === "range" ? -low / scales[i * 3 + 1] : 0;
          expect(Math.abs(zeros[i * 3 + 1] - Math.min(zero, top))).toBeLessThanOrEqual(0.5001);
          expect(Number.isInteger(zeros[i * 3 + 1])).toBe(true);
          expect([scales[i * 3], scales[i * 3 + 2]]).toEqual([0, 0]);
        }
      });

      test(`w${grid.bits} ${grid.id}: a search finds the least error among its ranges`, async () => {
        const search = { candidates: 40, shrinkStep: 0.02, norm: 2.4 };
        const options = { start: 0, end: 64, grid, rule: grid.scaleRule, ...noSearch };
        const plain = await fit(open(), weight, options);
        const found = await fit(open(), weight, { ...options, search });
        for (let i = 0; i < 5; i++) {
          const group = row(i, 0, 64);
          const error = (scale: number, zero: number) =>
            nearestError(group, grid, scale, zero, search.norm);
          let least = error(plain.scales[i], plain.zeros[i]);
          for (let p = 1; p > 0.201; p -= search.shrinkStep) {
            const widest = grid.scaleRule === "mean" ? 2.4 : 1;
            const scale = half(plain.scales[i] * widest * p);
            const zero = grid.scaleRule === "range" ? plain.zeros[i] : 0;
            least = Math.min(least, error(scale, zero));
          }
          // The candidates here differ from the exact ones by a rounding of the scale.
          expect(error(found.scales[i], found.zeros[i])).toBeLessThanOrEqual(least * 1.02);
        }
      });
    }

    test("a group of zeros and extreme groups give a scale that float16 can hold", async () => {
      for (const [value, scale] of [
        [0, half(2 / 15)],
        [1e-12, 2 ** -24],
        [1e30, 65504],
      ]) {
        const flat = floatSample([1, 8], new Array(8).fill(value));
        const [grid] = grids.filter(({ bits, id }) => bits === 4 && id === "int");
        const options = { start: 0, end: 8, grid, rule: "range" as const, ...noSearch };
        expect((await fit(open(), flat, options)).scales[0]).toBe(scale);
      }
    });

    test("zeros of a ternary group get the smallest scale", async () => {
      const [grid] = grids.filter(({ scaleRule }) => scaleRule === "mean");
      const options = { start: 0, end: 8, grid, rule: "mean" as const, ...noSearch };
      const { scales } = await fit(open(), floatSample([1, 8], new Array(8).fill(0)), options);
      expect(scales[0]).toBe(2 ** -24);
    });
  });
}

interface ColumnCase {
  readonly rows: number;
  readonly n: number;
  readonly panel: number;
  readonly groupSize: number;
  readonly withFactor: boolean;
}

const columnCases: readonly ColumnCase[] = [
  { rows: 1, n: 1, panel: 1, groupSize: 1, withFactor: true },
  { rows: 3, n: 7, panel: 7, groupSize: 7, withFactor: true },
  { rows: 5, n: 172, panel: 128, groupSize: 64, withFactor: true },
  { rows: 37, n: 172, panel: 50, groupSize: 64, withFactor: true },
  { rows: 5, n: 172, panel: 172, groupSize: 32, withFactor: false },
];

function testQuantizeColumns(open: () => Backend): void {
  describe("quantizeColumns", () => {
    for (const grid of grids) {
      test(`w${grid.bits} ${grid.id}: nearest codes, errors carried on by the factor`, async () => {
        for (const entry of columnCases) await checkColumns(open(), grid, entry);
      });
    }

    test("ties go to the even code", async () => {
      const [grid] = grids.filter(({ bits, id }) => bits === 4 && id === "int");
      const backend = open();
      const weight = floatSample([1, 6], [-2.5, -1.5, 0.5, 1.5, 2.5, 100]);
      const state = columnState(backend, weight, 1, Float32Array.of(1), Float32Array.of(5));
      const range = { start: 0, end: 6, factor: null, grid, ...state.parameters };
      backend.kernels.quantizeColumns(state.codes, state.weight, range);
      expect([...(await state.codes.read())]).toEqual([2, 4, 6, 6, 8, 15]);
      expect([...(await state.weight.read())]).toEqual([-3, -1, 1, 1, 3, 10]);
    });
  });
}

function columnState(
  backend: Backend,
  weight: Sample,
  groups: number,
  scales: Float32Array,
  zeros: Float32Array,
) {
  const [rows = 0, n = 0] = weight.shape;
  const groupOf = Int32Array.from({ length: n }, (_, j) => Math.floor((j * groups) / n));
  return {
    codes: Tensor.zeros(backend, "u8", [rows, n]),
    weight: upload(backend, weight),
    groupOf,
    parameters: {
      scales: Tensor.from(backend, "f32", [rows, groups], scales.slice()),
      zeros: Tensor.from(backend, "f32", [rows, groups], zeros.slice()),
      groupOf: Tensor.from(backend, "i32", [n], groupOf.slice()),
    },
  };
}

/**
 * Replays the algorithm in float64 with the codes that the backend chose: each must be the nearest but
 * for a rounding, and the weights that are left must agree. A code at a tie may so go either way.
 */
async function checkColumns(backend: Backend, grid: Grid, entry: ColumnCase): Promise<void> {
  const { rows, n, panel, groupSize, withFactor } = entry;
  const groups = Math.ceil(n / groupSize);
  const sample = normalSample([rows, n], 31, "f32", 0.05);
  const scales = Float32Array.from({ length: rows * groups }, (_, i) =>
    half(0.02 + 0.001 * (i % 7)),
  );
  const zeros = Float32Array.from(scales, (_, i) => (grid.hasZeroPoint ? i % grid.levels : 0));
  const state = columnState(backend, sample, groups, scales, zeros);
  const factor = withFactor ? upperFactor(n) : null;
  const uploaded = factor && upload(backend, factor);
  const end = Math.max(n - 1, 1);
  for (let start = 0; start < end; start += panel) {
    const range = { start, end: Math.min(start + panel, end), factor: uploaded, grid };
    backend.kernels.quantizeColumns(state.codes, state.weight, { ...range, ...state.parameters });
  }
  const codes = await state.codes.read();
  const actual = (await state.weight.read()) as Float32Array;
  const w = sample.values.slice();
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < end; j++) {
      const at = row * n + j;
      const parameter = row * groups + state.groupOf[j];
      const [scale, zero] = [scales[parameter], zeros[parameter]];
      const nearest = (w[at] / scale - grid.origin) / grid.step + zero;
      const clipped = Math.min(Math.max(nearest, 0), grid.levels - 1);
      if (!(Math.abs(codes[at] - clipped) < 0.5002)) {
        expect.fail(
          `row ${row}, column ${j}: expected a code next to ${clipped}, got ${codes[at]}`,
        );
      }
      const decoded = scale * decodeCode(grid, codes[at], zero);
      if (actual[at] !== Math.fround(decoded)) {
        expect.fail(`row ${row}, column ${j}: expected ${decoded}, got ${actual[at]}`);
      }
      if (!factor) continue;
      const error = (w[at] - decoded) / factor.values[j * n + j];
      for (let k = j + 1; k < n; k++) w[row * n + k] -= error * factor.values[j * n + k];
    }
  }
  for (let row = 0; row < rows; row++) {
    const rest = exactly(w.subarray(row * n + end, (row + 1) * n));
    const left = actual.subarray(row * n + end, (row + 1) * n);
    expectWithin(left, rest, { relative: 1e-5, absolute: 1e-6 });
  }
  if (!factor) expectSame(actual.subarray(end, n), sample.values.subarray(end, n));
}

/** An upper matrix with a positive diagonal and a tail that falls off. */
function upperFactor(n: number): Sample {
  const noise = normalSample([n, n], 33).values;
  const values = noise.map((x, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return j < i ? 0 : j === i ? 1 + 0.3 * Math.abs(x) : (0.3 * x) / Math.sqrt(j - i);
  });
  return floatSample([n, n], values);
}
