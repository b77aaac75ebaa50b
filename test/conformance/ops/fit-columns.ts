import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { FitOptions } from "../../../src/backend/kernels.ts";
import { type Grid, decodeCode } from "../../../src/quant/grid.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { grids } from "../../../src/quant/grids/index.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../src/util/half.ts";
import { floatSample, normalSample, type Sample, upload } from "./data.ts";

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

/** Checks `fitColumns`. */
export function testFitColumns(open: () => Backend): void {
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
            magnitude: (2 * Math.max(high, -low)) / top / grid.step,
            mean,
            span: (Math.max(...group) - Math.min(...group)) / top,
          };
          const scale = rules[grid.scaleRule];
          // A scale that lies at a tie of float16 may be rounded either way.
          expect(Math.abs(scales[i * 3 + 1] - scale) / scale).toBeLessThan(2 ** -11 * 1.001);
          const found = zeros[i * 3 + 1];
          if (grid.scaleRule === "span") {
            expect(Math.abs(found * scales[i * 3 + 1] + Math.min(...group))).toBeLessThan(1e-4);
            expect(half(found)).toBe(found);
          } else {
            const zero = grid.scaleRule === "range" ? -low / scales[i * 3 + 1] : 0;
            expect(Math.abs(found - Math.min(zero, top))).toBeLessThanOrEqual(0.5001);
            expect(Number.isInteger(found)).toBe(true);
          }
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
            const zero = /range|span/.test(grid.scaleRule) ? plain.zeros[i] : 0;
            least = Math.min(least, error(scale, zero));
          }
          // The candidates here differ from the exact ones by a rounding of the scale.
          expect(error(found.scales[i], found.zeros[i])).toBeLessThanOrEqual(least * 1.02);
        }
      });
    }

    const tailed = { ...weight, values: weight.values.map((w, i) => (i % 29 ? w : w * 6)) };
    for (const grid of grids.filter(({ codebook }) => !codebook)) {
      test(`w${grid.bits} ${grid.id}: a search errs as little as the reference's`, async () => {
        for (const norm of [1, 2, 2.2, 2.4, 3, 4]) {
          const search = { candidates: 80, shrinkStep: 0.01, norm };
          for (const [start, end] of [
            [0, 1],
            [3, 20],
            [20, 84],
            [0, 172],
          ]) {
            const options = { start, end, grid, rule: grid.scaleRule, group: 0, search };
            const found = await fit(open(), tailed, options);
            const best = await fit(createReferenceBackend(), tailed, options);
            for (let i = 0; i < 5; i++) {
              const group = tailed.values.subarray(i * 172 + start, i * 172 + end);
              const error = ({ scales, zeros }: typeof found) =>
                nearestError(group, grid, scales[i], zeros[i], norm);
              // Scales that lie at a tie of float16 may be rounded either way.
              expect(error(found)).toBeLessThanOrEqual(error(best) * 1.002 + 1e-12);
            }
          }
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

    test("a span that lies far from zero, or is a point, is fitted with zero in its range", async () => {
      const [grid] = grids.filter(({ bits, scaleRule }) => bits === 4 && scaleRule === "span");
      const options = { start: 0, end: 4, grid, rule: "span" as const, ...noSearch };
      const groups = [
        [5, 5.0001, 5, 5],
        [0.3, 0.3, 0.3, 0.3],
        [4, 5.5, 4, 4],
      ];
      const { scales, zeros } = await fit(open(), floatSample([3, 4], groups.flat()), options);
      expect([...scales]).toEqual([half(5.0001 / 15), half(0.3 / 15), half(0.1)]);
      expect([...zeros]).toEqual([0, 0, half(Math.fround(-4 / half(0.1)))]);
    });

    test("zeros of a ternary group get the smallest scale", async () => {
      const [grid] = grids.filter(({ scaleRule }) => scaleRule === "mean");
      const options = { start: 0, end: 8, grid, rule: "mean" as const, ...noSearch };
      const { scales } = await fit(open(), floatSample([1, 8], new Array(8).fill(0)), options);
      expect(scales[0]).toBe(2 ** -24);
    });
  });
}
