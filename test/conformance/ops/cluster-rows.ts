import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { clusterRows } from "../../../src/tensor/quantization-ops.ts";
import { floatsToHalves, halvesToFloats } from "../../../src/util/half.ts";
import { normalSample } from "./data.ts";

const clusterCases = [
  { rows: 1, columns: 1, levels: 4, zeros: 0 },
  { rows: 2, columns: 11, levels: 3, zeros: 0 },
  { rows: 3, columns: 12, levels: 4, zeros: 3 },
  { rows: 2, columns: 3, levels: 8, zeros: 0 },
] as const;

/** Checks `clusterRows`. */
export function testClusterRows(open: () => Backend): void {
  describe("clusterRows", () => {
    test.each(clusterCases)("no way to cut a row into clusters is better: %o", async (entry) => {
      const { rows, columns, levels, zeros } = entry;
      const values = normalSample([rows, columns], 7, "f32").array as Float32Array;
      const weights = (normalSample([rows, columns], 9, "f32").array as Float32Array).map((w, i) =>
        i % 4 < zeros ? 0 : w ** 4,
      );
      const { table, codes } = await cluster(open(), { ...entry, values, weights });
      for (let row = 0; row < rows; row++) {
        const own = [...table.subarray(row * levels, (row + 1) * levels)];
        expect(own).toEqual([...own].sort((a, b) => a - b));
        const points = Array.from({ length: columns }, (_, column) => {
          const i = row * columns + column;
          const distances = own.map((centroid) => Math.abs(values[i] - centroid));
          expect(distances[codes[i]]).toBe(Math.min(...distances));
          return { value: values[i], weight: weights[i], error: distances[codes[i]] };
        });
        const found = points.reduce((sum, { weight, error }) => sum + weight * error ** 2, 0);
        const rounding = points.reduce((sum, { weight, value }) => {
          return sum + weight * (2 ** -10 * Math.abs(value) + 2 ** -24) ** 2;
        }, 0);
        const counted = points.filter(({ weight }) => weight > 0);
        counted.sort((a, b) => a.value - b.value);
        expect(found).toBeLessThanOrEqual(leastLoss(counted, levels) * (1 + 1e-6) + rounding);
      }
    });

    test("values that are the levels stand in the table, each with its code", async () => {
      const values = Float32Array.of(2, -1, 0.5, 2, -1, 0.5, 0.5, 2);
      const weights = Float32Array.of(1, 3, 2, 0.5, 1e-9, 7, 1, 1);
      const shape = { rows: 1, columns: 8, levels: 4 };
      const { table, codes } = await cluster(open(), { ...shape, values, weights });
      expect([...new Set(table)].sort((a, b) => a - b)).toEqual([-1, 0.5, 2]);
      expect([...codes].map((code) => table[code])).toEqual([...values]);
    });

    test("a value half-way between two of the table has the lower code", async () => {
      const values = Float32Array.of(0, 1, 0.5);
      const weights = Float32Array.of(1, 1, 0);
      const shape = { rows: 1, columns: 3, levels: 2 };
      expect([...(await cluster(open(), { ...shape, values, weights })).codes]).toEqual([0, 1, 0]);
    });
  });
}

interface Rows {
  readonly rows: number;
  readonly columns: number;
  readonly levels: number;
  readonly values: Float32Array;
  readonly weights: Float32Array;
}

async function cluster(
  backend: Backend,
  { rows, columns, levels, values, weights }: Rows,
): Promise<{ table: Float32Array; codes: Uint8Array }> {
  const upload = (of: Float32Array) => Tensor.from(backend, "f32", [rows, columns], of.slice());
  const blank = floatsToHalves(new Float32Array(rows * levels));
  const table = Tensor.from(backend, "f16", [rows, levels], blank);
  const codes = Tensor.from(backend, "u8", [rows, columns], new Uint8Array(rows * columns));
  clusterRows(table, codes, upload(values), upload(weights));
  return { table: halvesToFloats(await table.read()), codes: await codes.read() };
}

interface Point {
  readonly value: number;
  readonly weight: number;
}

/** The least `Σ w·(x − centroid)²` over all ways to cut rising points into so many runs. */
function leastLoss(points: readonly Point[], clusters: number): number {
  if (points.length === 0) return 0;
  if (clusters === 1) return lossOf(points);
  let least = lossOf(points);
  for (let cut = 1; cut < points.length; cut++) {
    const loss = leastLoss(points.slice(0, cut), clusters - 1) + lossOf(points.slice(cut));
    least = Math.min(least, loss);
  }
  return least;
}

function lossOf(points: readonly Point[]): number {
  const total = points.reduce((sum, { weight }) => sum + weight, 0);
  const mean = points.reduce((sum, { value, weight }) => sum + weight * value, 0) / total;
  return points.reduce((sum, { value, weight }) => sum + weight * (value - mean) ** 2, 0);
}
