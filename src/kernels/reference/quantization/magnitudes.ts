import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

/** `sums [n] f64 += Σ|x|` and `peaks [n] f32 = max(peaks, max|x|)` over the rows of x `[T, n]`. */
export const magnitudes: Kernels["magnitudes"] = (sums, peaks, x) => {
  const { rows, columns } = asMatrix(x.shape);
  const total = sums.storage as Float64Array;
  const largest = peaks.storage as Float32Array;
  const input = floats(x);
  for (let t = 0; t < rows; t++) {
    for (let j = 0, at = t * columns; j < columns; j++, at++) {
      const magnitude = Math.abs(input[at]);
      total[j] += magnitude;
      if (magnitude > largest[j]) largest[j] = magnitude;
    }
  }
};
