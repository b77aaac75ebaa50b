import { matmul, matmulInto } from "../tensor/products.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { squaredDistance, squaredNorm } from "../util/sums.ts";

/**
 * Measures how far a quantized layer is off: `‖X·(W − Ŵ)ᵀ‖² / ‖X·Wᵀ‖²` on sampled inputs, or
 * `‖W − Ŵ‖² / ‖W‖²` without any. Call `LayerError.of` before the weight is overwritten.
 */
export class LayerError {
  readonly kind: "outputs" | "weights";
  private readonly inputs: Tensor<"f32"> | null;
  private readonly original: Tensor<"f32"> | Float32Array;
  private readonly norm: number;

  private constructor(
    inputs: Tensor<"f32"> | null,
    original: Tensor<"f32"> | Float32Array,
    norm: number,
  ) {
    this.kind = inputs ? "outputs" : "weights";
    this.inputs = inputs;
    this.original = original;
    this.norm = norm;
  }

  /** Notes what the layer does with its original weight `[out, in]`; inputs are `[tokens, in]`. */
  static async of(weight: Tensor<"f32">, inputs: Tensor<"f32"> | null): Promise<LayerError> {
    if (!inputs) {
      const values = await weight.read();
      return new LayerError(null, values, squaredNorm(values));
    }
    const outputs = matmul(inputs, weight, { transposeB: true });
    return new LayerError(inputs, outputs, squaredNorm(await outputs.read()));
  }

  /** Compares with the quantized weight `[out, in]`; 0 when the layer's output is all zero. */
  async against(quantized: Tensor<"f32">): Promise<number> {
    let distance: number;
    if (this.original instanceof Float32Array) {
      distance = squaredDistance(this.original, await quantized.read());
    } else {
      const difference = { transposeB: true, alpha: -1, beta: 1 } as const;
      matmulInto(this.original, this.inputs as Tensor, quantized, difference);
      distance = squaredNorm(await this.original.read());
      this.original.release();
    }
    return this.norm === 0 ? 0 : distance / this.norm;
  }
}
