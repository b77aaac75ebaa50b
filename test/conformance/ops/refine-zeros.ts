import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { roundHalfEven } from "../../../src/util/rounding.ts";
import { floatSample, normalSample, upload } from "./data.ts";

interface ZeroCase {
  readonly rows: number;
  readonly columns: number;
  readonly groupSize: number;
  readonly levels: number;
  readonly norm: number;
  readonly beta: number;
  readonly spread: number;
}

const zeroCases: readonly ZeroCase[] = [
  { rows: 1, columns: 1, groupSize: 1, levels: 4, norm: 0.7, beta: 10, spread: 1 },
  { rows: 5, columns: 172, groupSize: 64, levels: 4, norm: 0.7, beta: 10, spread: 1 },
  { rows: 9, columns: 100, groupSize: 100, levels: 16, norm: 0.5, beta: 1000, spread: 0.02 },
  { rows: 3, columns: 40, groupSize: 12, levels: 8, norm: 1, beta: 10, spread: 2 },
];

/** Checks `refineZeros`. */
export function testRefineZeros(open: () => Backend): void {
  describe("refineZeros", () => {
    test.each(zeroCases)("one step follows the formula: %o", async (entry) => {
      const { rows, columns, groupSize } = entry;
      const groups = Math.ceil(columns / groupSize);
      const weight = normalSample([rows, columns], 41, "f32", entry.spread);
      const scales = new Float32Array(rows * groups).fill((entry.spread * 4) / entry.levels);
      const zeros = scales.map((_, i) => entry.levels / 2 + (i % 5) / 7);
      const { newZeros, errors } = await refine(open(), weight.array as Float32Array, {
        ...entry,
        scales,
        zeros,
      });
      for (let i = 0; i < zeros.length; i++) {
        const from = Math.floor(i / groups) * columns + (i % groups) * groupSize;
        const to = Math.min(from + groupSize, (Math.floor(i / groups) + 1) * columns);
        const group = weight.values.subarray(from, to);
        const expected = formula(group, scales[i], zeros[i], entry);
        expect(newZeros[i]).toBeCloseTo(expected.zero, 4);
        expect(errors[i] / expected.error).toBeCloseTo(1, 4);
      }
    });

    test("weights on the grid have no error and keep their zero point", async () => {
      const weights = Float32Array.of(-0.5, 0, 0.25, 0.25, -0.25, 0, 0, 0.25, -0.5);
      const { newZeros, errors } = await refine(open(), weights, {
        rows: 1,
        columns: 9,
        groupSize: 9,
        levels: 4,
        norm: 0.7,
        beta: 10,
        scales: Float32Array.of(0.25),
        zeros: Float32Array.of(2),
      });
      expect([newZeros[0], errors[0]]).toEqual([2, 0]);
    });
  });
}

async function refine(
  backend: Backend,
  weights: Float32Array,
  entry: Omit<ZeroCase, "spread"> & { scales: Float32Array; zeros: Float32Array },
): Promise<{ newZeros: Float32Array; errors: Float32Array }> {
  const { rows, columns } = entry;
  const shape = [rows, entry.zeros.length / rows];
  const tensor = (values: Float32Array) => Tensor.from(backend, "f32", shape, values.slice());
  const zeros = tensor(entry.zeros);
  const errors = tensor(new Float32Array(entry.zeros.length).fill(Number.NaN));
  const weight = upload(backend, floatSample([rows, columns], weights));
  backend.kernels.refineZeros(zeros, errors, weight, { ...entry, scales: tensor(entry.scales) });
  return { newZeros: await zeros.read(), errors: await errors.read() };
}

/** `z = mean(c − (w − e)/s)` and `mean|d|` in float64, as written in the kernel's description. */
function formula(
  group: Float64Array,
  scale: number,
  zero: number,
  { levels, norm, beta }: ZeroCase,
): { zero: number; error: number } {
  let [sum, error] = [0, 0];
  for (const w of group) {
    const code = Math.min(Math.max(roundHalfEven(w / scale + zero), 0), levels - 1);
    const d = w - scale * (code - zero);
    const e = Math.sign(d) * Math.max(Math.abs(d) - Math.abs(d) ** (norm - 1) / beta, 0);
    sum += code - (w - e) / scale;
    error += Math.abs(d);
  }
  return { zero: sum / group.length, error: error / group.length };
}
