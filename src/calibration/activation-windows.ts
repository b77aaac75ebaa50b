import type { Tensor } from "../tensor/tensor.ts";

/** Activations of calibration windows at one place of a model, of which some are had at a time. */
export interface ActivationWindows {
  /** Number of windows. */
  readonly windows: number;
  /** Tokens a window. */
  readonly length: number;
  /** Copies the windows at `indices`, `[indices.length, length, hiddenSize]`, for the caller. */
  take(indices: readonly number[]): Promise<Tensor<"f32">>;
}
