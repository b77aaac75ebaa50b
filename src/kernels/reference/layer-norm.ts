import type { TensorView } from "../../backend/kernels.ts";
import { asMatrix } from "../../tensor/shape.ts";
import { floats } from "./arrays.ts";

/** `out = (x − mean) / √(var + eps) · weight + bias` over the last dimension, moments in float64. */
export function layerNorm(
  out: TensorView,
  x: TensorView,
  weight: TensorView | null,
  bias: TensorView | null,
  eps: number,
): void {
  const { rows, columns } = asMatrix(x.shape);
  const input = floats(x);
  const output = floats(out);
  const gain = weight ? floats(weight) : null;
  const shift = bias ? floats(bias) : null;
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let sum = 0;
    for (let i = start; i < start + columns; i++) sum += input[i];
    const mean = sum / columns;
    let squares = 0;
    for (let i = start; i < start + columns; i++) squares += (input[i] - mean) ** 2;
    const factor = 1 / Math.sqrt(squares / columns + eps);
    for (let i = 0; i < columns; i++) {
      const normal = (input[start + i] - mean) * factor;
      output[start + i] = normal * (gain ? gain[i] : 1) + (shift ? shift[i] : 0);
    }
  }
}
