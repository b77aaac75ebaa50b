import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

/** `out [n] = Σ_t x[t]`, summed in float64. */
export const columnSums: Kernels["columnSums"] = (out, x) => {
  const { rows, columns } = asMatrix(x.shape);
  const input = floats(x);
  const sums = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i++) sums[i] += input[row * columns + i];
  }
  floats(out).set(sums);
};

/** `sum [1] f64 += Σ x²`. */
export const sumSquares: Kernels["sumSquares"] = (sum, x) => {
  let total = 0;
  for (const value of floats(x)) total += value * value;
  (sum.storage as Float64Array)[0] += total;
};

/** `total [1] f64 = Σ (a − b)²` and `difference = scale·(a − b)`. */
export const squaredError: Kernels["squaredError"] = (total, difference, a, b, scale) => {
  const left = floats(a);
  const right = floats(b);
  const output = floats(difference);
  let sum = 0;
  for (let i = 0; i < left.length; i++) {
    const error = left[i] - right[i];
    sum += error * error;
    output[i] = scale * error;
  }
  (total.storage as Float64Array)[0] = sum;
};
