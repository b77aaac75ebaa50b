import type { QTensor } from "../quant/q-tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** How a tensor is stored where that is not how it is computed with. */
export interface TensorForm {
  /** A matrix `[out, in]` is stored as `[in, out]`. */
  readonly transposed: boolean;
  /** What is to be added to the stored values. */
  readonly offset: number;
}

/**
 * Where a model takes its weights from; implemented over a checkpoint by `formats/`. Matrices are
 * `[out, in]`, and values those that are computed with, whatever form they are stored in.
 */
export interface WeightSource {
  /** Whether the checkpoint has a tensor of this name (for a packed module: of this module). */
  has(name: string): boolean;
  /** Shape of a tensor, from the header. @throws FormatError when it is absent */
  shape(name: string): readonly number[];
  /** Reads a tensor, widened to float32. @throws FormatError NumericError */
  tensor(name: string): Promise<Tensor<"f32">>;
  /**
   * Reads a matrix for multiplying by: packed, or in the precision that the caller of the source
   * chose (float32 for calibration; 16-bit as stored for inference). `module` is the name without
   * `.weight`.
   */
  matrix(module: string): Promise<Tensor | QTensor>;
  /** As `matrix`, but 16-bit weights stay as they are stored: for embedding and output head. */
  storedMatrix(module: string): Promise<Tensor | QTensor>;
}
