import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

/** `sums [n] f64 += Σ x²` over the rows of x `[T, n]`. */
export const energies: Kernels["energies"] = (sums, x) => {
  const { rows, columns } = asMatrix(x.shape);
  const total = sums.storage as Float64Array;
  const input = floats(x);
  for (let t = 0; t < rows; t++) {
    for (let j = 0, at = t * columns; j < columns; j++, at++) total[j] += input[at] ** 2;
  }
};
