import { matmul } from "../../tensor/products.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * Returns `δ·H·δᵀ` of each row δ of `rows [n, k]`: with `H = Σ x·xᵀ [k, k]` it is `Σ (x·δ)²`, the
 * squared output of the row over all inputs x that H was gathered from.
 */
export async function quadraticForms(
  rows: Tensor<"f32">,
  moments: Tensor<"f32">,
): Promise<Float64Array> {
  const product = matmul(rows, moments);
  const left = await rows.read();
  const right = await product.read();
  product.release();
  const [count = 0, width = 0] = rows.shape;
  const sums = new Float64Array(count);
  for (let row = 0, at = 0; row < count; row++) {
    let sum = 0;
    for (let j = 0; j < width; j++, at++) sum += left[at] * right[at];
    sums[row] = sum;
  }
  return sums;
}
