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

/** `total [1] f64 = Σ_t w[t]·Σ (a[t] − b[t])²` and `difference[t] = scale·w[t]·(a[t] − b[t])`. */
export const squaredError: Kernels["squaredError"] = (total, difference, a, b, weights, scale) => {
  const { rows, columns } = asMatrix(a.shape);
  const left = floats(a);
  const right = floats(b);
  const output = floats(difference);
  const ofRows = weights && floats(weights);
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const weight = ofRows ? ofRows[row] : 1;
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      const error = left[i] - right[i];
      sum += weight * error * error;
      output[i] = scale * weight * error;
    }
  }
  (total.storage as Float64Array)[0] = sum;
};
