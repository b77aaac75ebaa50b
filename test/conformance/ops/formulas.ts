import type { AttentionOptions } from "../../../src/backend/kernels.ts";
import type { Exact } from "./expect-within.ts";

/*
 * The formulas of the ops in float64, as directly as they can be written. Magnitudes are the sums
 * of the absolute terms.
 */

/** `a·bᵀ` of rows `a [m, k]` and `b [n, k]`. */
export function product(m: number, n: number, k: number, a: Float64Array, b: Float64Array): Exact {
  const values = new Float64Array(m * n);
  const magnitudes = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let [sum, size] = [0, 0];
      for (let p = 0; p < k; p++) {
        const term = a[i * k + p] * b[j * k + p];
        sum += term;
        size += Math.abs(term);
      }
      values[i * n + j] = sum;
      magnitudes[i * n + j] = size;
    }
  }
  return { values, magnitudes };
}

/** The transpose of `matrix [rows, columns]`. */
export function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = matrix[i * columns + j];
  }
  return out;
}

/** Softmax of one row. */
export function softmaxRow(row: ArrayLike<number>): number[] {
  const top = Math.max(...Array.from(row));
  const powers = Array.from(row, (value) => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** `log Σ exp` of one row. */
export function logSumExp(row: ArrayLike<number>): number {
  const values = Array.from(row);
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
}

/** Shape of an attention call. */
export interface AttentionShape {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly capacity: number;
}

/** Causal grouped-query attention. */
export function attentionFormula(
  shape: AttentionShape,
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  options: AttentionOptions,
): Exact {
  const { batch, length, heads, kvHeads, headDim, capacity } = shape;
  const values = new Float64Array(q.length);
  const magnitudes = new Float64Array(q.length);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++) {
      const position = options.keyLength - length + t;
      const first = Math.max(0, position + 1 - (options.window ?? position + 1));
      for (let h = 0; h < heads; h++) {
        const query = ((b * length + t) * heads + h) * headDim;
        const kvHead = Math.floor(h / (heads / kvHeads));
        const at = (j: number) => ((b * capacity + j) * kvHeads + kvHead) * headDim;
        const scores: number[] = [];
        for (let j = first; j <= position; j++) {
          let score = 0;
          for (let i = 0; i < headDim; i++) score += q[query + i] * k[at(j) + i];
          score *= options.scale;
          const { softCap } = options;
          scores.push(softCap ? softCap * Math.tanh(score / softCap) : score);
        }
        softmaxRow(scores).forEach((weight, j) => {
          for (let i = 0; i < headDim; i++) {
            const term = weight * v[at(first + j) + i];
            values[query + i] += term;
            magnitudes[query + i] += Math.abs(term);
          }
        });
      }
    }
  }
  return { values, magnitudes };
}

/** Normalizes one row to mean 0 (when `center`) and variance 1, then scales and shifts it. */
export function normalizeRow(
  row: Float64Array,
  center: boolean,
  weight: Float64Array | null,
  bias: Float64Array | null,
  eps: number,
): Exact {
  const mean = center ? row.reduce((a, b) => a + b, 0) / row.length : 0;
  const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
  const factor = 1 / Math.sqrt(variance + eps);
  const gain = (i: number) => (weight ? weight[i] : 1) * factor;
  const shift = (i: number) => (bias ? bias[i] : 0);
  return {
    values: row.map((x, i) => (x - mean) * gain(i) + shift(i)),
    magnitudes: row.map(
      (x, i) => (Math.abs(x) + Math.abs(mean)) * Math.abs(gain(i)) + Math.abs(shift(i)),
    ),
  };
}

/** The complementary error function, by Simpson's rule on its integral. */
export function erfc(z: number): number {
  if (z < 0) return 2 - erfc(-z);
  // From z to z + 9; what lies beyond is less than 1e-35 of it.
  const steps = 4000;
  const width = 9 / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const factor = i === 0 || i === steps ? 1 : i % 2 === 0 ? 2 : 4;
    sum += factor * Math.exp(-((z + i * width) ** 2));
  }
  return (2 / Math.sqrt(Math.PI)) * sum * (width / 3);
}
