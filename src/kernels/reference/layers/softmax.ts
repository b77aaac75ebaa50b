import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

/** Softmax over the last dimension, sums in float64. */
export const softmax: Kernels["softmax"] = (out, x) => {
  const { rows, columns } = asMatrix(x.shape);
  const input = floats(x);
  const output = floats(out);
  const row = new Float64Array(columns);
  for (let r = 0; r < rows; r++) {
    row.set(input.subarray(r * columns, (r + 1) * columns));
    softmaxInPlace(row, 0, columns);
    output.set(row, r * columns);
  }
};

/** Gradient of `softmax` from its result y: `dX = y·(dOut − Σ dOut·y)`. */
export const softmaxBackward: Kernels["softmaxBackward"] = (dX, dOut, y) => {
  const { rows, columns } = asMatrix(y.shape);
  const output = floats(dX);
  const upstream = floats(dOut);
  const result = floats(y);
  for (let start = 0; start < rows * columns; start += columns) {
    let dot = 0;
    for (let i = start; i < start + columns; i++) dot += upstream[i] * result[i];
    for (let i = start; i < start + columns; i++) output[i] = result[i] * (upstream[i] - dot);
  }
};

/** Replaces `count` scores from `start` on by their softmax. */
export function softmaxInPlace(scores: Float64Array, start: number, count: number): void {
  const top = maximum(scores, start, count);
  let sum = 0;
  for (let i = start; i < start + count; i++) {
    scores[i] = Math.exp(scores[i] - top);
    sum += scores[i];
  }
  for (let i = start; i < start + count; i++) scores[i] /= sum;
}

/** Returns `log Σ exp` of `count` values from `start` on, without overflow. */
export function logSumExp(values: Float32Array, start: number, count: number): number {
  const top = maximum(values, start, count);
  let sum = 0;
  for (let i = start; i < start + count; i++) sum += Math.exp(values[i] - top);
  return top + Math.log(sum);
}

function maximum(values: Float32Array | Float64Array, start: number, count: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = start; i < start + count; i++) if (values[i] > top) top = values[i];
  return top;
}
