import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { type Grid, decodeCode } from "../../../src/quant/grid.ts";
import { grids } from "../../../src/quant/grids/index.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../src/util/half.ts";
import { floatSample, normalSample, type Sample, upload } from "./data.ts";
import { exactly, expectSame, expectWithin } from "./expect-within.ts";

const half = (value: number) => halfBitsToFloat(floatToHalfBits(value));

interface ColumnCase {
  readonly rows: number;
  readonly n: number;
  readonly panel: number;
  readonly groupSize: number;
  readonly withFactor: boolean;
  /** Whether values of groups are shifted, and some of their scales negative or 0. */
  readonly withOffsets?: boolean;
}

const columnCases: readonly ColumnCase[] = [
  { rows: 1, n: 1, panel: 1, groupSize: 1, withFactor: true },
  { rows: 3, n: 7, panel: 7, groupSize: 7, withFactor: true },
  { rows: 5, n: 172, panel: 128, groupSize: 64, withFactor: true },
  { rows: 37, n: 172, panel: 50, groupSize: 64, withFactor: true },
  { rows: 5, n: 172, panel: 172, groupSize: 32, withFactor: false },
  { rows: 37, n: 172, panel: 64, groupSize: 32, withFactor: true, withOffsets: true },
];

/** Checks `quantizeColumns`. */
export function testQuantizeColumns(open: () => Backend): void {
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
  offsets: Float32Array | null = null,
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
      offsets: offsets && Tensor.from(backend, "f32", [rows, groups], offsets.slice()),
      groupOf: Tensor.from(backend, "i32", [n], groupOf.slice()),
    },
  };
}

/**
 * Replays the algorithm in float64 with the codes that the backend chose: each must be the nearest
 * but for a rounding, and the weights that are left must agree. A code at a tie may so go either
 * way.
 */
async function checkColumns(backend: Backend, grid: Grid, entry: ColumnCase): Promise<void> {
  const { rows, n, panel, groupSize, withFactor, withOffsets = false } = entry;
  const groups = Math.ceil(n / groupSize);
  const sample = normalSample([rows, n], 31, "f32", 0.05);
  const sign = (i: number): number => (withOffsets ? (i % 5) - 1 : 1);
  const scales = Float32Array.from({ length: rows * groups }, (_, i) =>
    half(sign(i) * (0.02 + 0.001 * (i % 7))),
  );
  const offsets = withOffsets ? scales.map((_, i) => half(0.01 * ((i % 3) - 1))) : null;
  const zeros = Float32Array.from(scales, (_, i) =>
    grid.zeroPoint !== "none" ? i % grid.levels : 0,
  );
  const state = columnState(backend, sample, groups, scales, zeros, offsets);
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
      const offset = offsets ? offsets[parameter] : 0;
      const ratio = scale === 0 ? 0 : (w[at] - offset) / scale;
      const distance = Math.abs(decodeCode(grid, codes[at], zero) - ratio);
      if (!(distance < nearestLevel(grid, ratio, zero) + 4e-4 * grid.step)) {
        expect.fail(`row ${row}, column ${j}: the code ${codes[at]} is not next to ${ratio}`);
      }
      const decoded = scale * decodeCode(grid, codes[at], zero) + offset;
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

/** How far the nearest level is from a value in units of the scale. */
function nearestLevel(grid: Grid, value: number, zero: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let code = 0; code < grid.levels; code++) {
    least = Math.min(least, Math.abs(decodeCode(grid, code, zero) - value));
  }
  return least;
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
