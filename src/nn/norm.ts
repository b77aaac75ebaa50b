import { layerNorm, rmsNorm } from "../tensor/ops.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Weights of a norm as they are computed with, whatever form they are stored in. */
export interface NormWeights {
  /** What normalised values are multiplied by. */
  readonly weight: Tensor<"f32">;
  /** What is added then; null for nothing. */
  readonly bias: Tensor<"f32"> | null;
}

/** What a norm computes. */
export interface NormRule {
  /** `rms`: `x / √(mean(x²) + eps)`. `layer`: of x less its mean. */
  readonly kind: "rms" | "layer";
  readonly eps: number;
}

/** Normalises the rows of x `[..., n]`; without weights x is given back as it is. */
export function normalize<T extends Tensor>(
  x: T,
  weights: NormWeights | null | undefined,
  { kind, eps }: NormRule,
): T | Tensor<"f32"> {
  if (!weights) return x;
  const { weight, bias } = weights;
  return kind === "layer" ? layerNorm(x, weight, bias, eps) : rmsNorm(x, weight, eps);
}
