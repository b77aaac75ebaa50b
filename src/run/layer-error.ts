import { cast } from "../tensor/ops.ts";
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
  private readonly original: Tensor<"f32">;
  private readonly norm: number;

  private constructor(inputs: Tensor<"f32"> | null, original: Tensor<"f32">, norm: number) {
    this.kind = inputs ? "outputs" : "weights";
    this.inputs = inputs;
    this.original = original;
    this.norm = norm;
  }

  /** Notes what the layer does with its original weight `[out, in]`; inputs are `[tokens, in]`. */
  static async of(weight: Tensor<"f32">, inputs: Tensor<"f32"> | null): Promise<LayerError> {
    if (!inputs) {
      const copy = cast(weight, "f32");
      return new LayerError(null, copy, await copy.look(squaredNorm));
    }
    const outputs = matmul(inputs, weight, { transposeB: true });
    return new LayerError(inputs, outputs, await outputs.look(squaredNorm));
  }

  /** Gives the memory back, where nothing is compared. */
  release(): void {
    this.original.release();
  }

  /** Compares with the quantized weight `[out, in]`; 0 when the layer's output is all zero. */
  async against(quantized: Tensor<"f32">): Promise<number> {
    const { original, inputs } = this;
    let distance: number;
    if (inputs) {
      matmulInto(original, inputs, quantized, { transposeB: true, alpha: -1, beta: 1 });
      distance = await original.look(squaredNorm);
    } else {
      const values = await quantized.backend.host(quantized.storage, "f32", quantized.size);
      distance = await original.look((before) => squaredDistance(before, values as Float32Array));
    }
    original.release();
    return this.norm === 0 ? 0 : distance / this.norm;
  }
}
