import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

/** `out = (x − mean) / √(var + eps) · weight + bias` over the last dimension, in float64. */
export const layerNorm: Kernels["layerNorm"] = (out, x, weight, bias, eps) => {
  const { rows, columns } = asMatrix(x.shape);
  const input = floats(x);
  const output = floats(out);
  const gain = weight ? floats(weight) : null;
  const shift = bias ? floats(bias) : null;
  const normals = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    normalise(normals, input, start, eps);
    for (let i = 0; i < columns; i++) {
      output[start + i] = normals[i] * (gain ? gain[i] : 1) + (shift ? shift[i] : 0);
    }
  }
};

/**
 * Gradients of `layerNorm`: with `n = (x − mean)/σ` and `g = dOut·weight`,
 * `dX = (g − mean(g) − n·mean(g·n))/σ`, `dWeight = Σ_t dOut·n`, `dBias = Σ_t dOut`.
 */
export const layerNormBackward: Kernels["layerNormBackward"] = (
  dX,
  dWeight,
  dBias,
  dOut,
  x,
  weight,
  eps,
) => {
  const { rows, columns } = asMatrix(x.shape);
  const upstream = floats(dOut);
  const gain = weight ? floats(weight) : null;
  const weightSums = new Float64Array(columns);
  const biasSums = new Float64Array(columns);
  const normals = new Float64Array(columns);
  const scaled = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const factor = normalise(normals, floats(x), start, eps);
    let sum = 0;
    let dot = 0;
    for (let i = 0; i < columns; i++) {
      const g = upstream[start + i];
      scaled[i] = g * (gain ? gain[i] : 1);
      sum += scaled[i];
      dot += scaled[i] * normals[i];
      weightSums[i] += g * normals[i];
      biasSums[i] += g;
    }
    if (!dX) continue;
    const output = floats(dX);
    for (let i = 0; i < columns; i++) {
      output[start + i] = factor * (scaled[i] - (sum + normals[i] * dot) / columns);
    }
  }
  if (dWeight) floats(dWeight).set(weightSums);
  if (dBias) floats(dBias).set(biasSums);
};

/** Writes `(x − mean)/σ` of the row at `start`; returns 1/σ. */
function normalise(out: Float64Array, x: Float32Array, start: number, eps: number): number {
  const columns = out.length;
  let sum = 0;
  for (let i = 0; i < columns; i++) sum += x[start + i];
  const mean = sum / columns;
  let squares = 0;
  for (let i = 0; i < columns; i++) squares += (x[start + i] - mean) ** 2;
  const factor = 1 / Math.sqrt(squares / columns + eps);
  for (let i = 0; i < columns; i++) out[i] = (x[start + i] - mean) * factor;
  return factor;
}
