import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

/** `gram [n, n] f64 += xᵀ·x`: the upper triangle is summed, then mirrored. */
export const gram: Kernels["gram"] = (target, x) => {
  const { rows, columns } = asMatrix(x.shape);
  const sums = target.storage as Float64Array;
  const input = floats(x);
  for (let t = 0; t < rows; t++) {
    const row = input.subarray(t * columns, (t + 1) * columns);
    for (let i = 0; i < columns; i++) {
      const factor = row[i];
      if (factor === 0) continue;
      const at = i * columns;
      for (let j = i; j < columns; j++) sums[at + j] += factor * row[j];
    }
  }
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < i; j++) sums[i * columns + j] = sums[j * columns + i];
  }
};
