import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

/** `out = x / √(mean(x²) + eps) · weight` over the last dimension; the mean is taken in float64. */
export const rmsNorm: Kernels["rmsNorm"] = (out, x, weight, eps) => {
  const { rows, columns } = asMatrix(x.shape);
  const input = floats(x);
  const output = floats(out);
  const gain = floats(weight);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let squares = 0;
    for (let i = start; i < start + columns; i++) squares += input[i] * input[i];
    const factor = 1 / Math.sqrt(squares / columns + eps);
    for (let i = 0; i < columns; i++) output[start + i] = input[start + i] * factor * gain[i];
  }
};

/** `dX = (g − n·mean(g·n))/r`, `n = x/r`, `g = dOut·weight`; `dWeight = Σ_t dOut·n`. */
export const rmsNormBackward: Kernels["rmsNormBackward"] = (dX, dWeight, dOut, x, weight, eps) => {
  const { rows, columns } = asMatrix(x.shape);
  const input = floats(x);
  const upstream = floats(dOut);
  const gain = floats(weight);
  const sums = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let squares = 0;
    for (let i = start; i < start + columns; i++) squares += input[i] * input[i];
    const factor = 1 / Math.sqrt(squares / columns + eps);
    let dot = 0;
    for (let i = 0; i < columns; i++) {
      const normal = input[start + i] * factor;
      dot += upstream[start + i] * gain[i] * normal;
      sums[i] += upstream[start + i] * normal;
    }
    if (!dX) continue;
    const output = floats(dX);
    for (let i = 0; i < columns; i++) {
      const normal = input[start + i] * factor;
      output[start + i] = factor * (upstream[start + i] * gain[i] - (normal * dot) / columns);
    }
  }
  if (dWeight) floats(dWeight).set(sums);
};
