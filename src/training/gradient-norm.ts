import { addSumOfSquares } from "../tensor/training-ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { sum } from "../util/sums.ts";
import type { Gradients } from "./parameter.ts";

/** Euclidean norms of gradients. */
export interface GradientNorms {
  /** Of all gradients together; NaN or infinite when one of them is. */
  readonly total: number;
  /** Of each, in their order; 0 where there is none. */
  readonly each: readonly number[];
}

/** Enqueues the sums of squares of gradients, one float64 each. Read them with `readNorms`. */
export function sumGradientSquares(gradients: Gradients): Tensor<"f64"> | null {
  const backend = gradients.find((gradient) => gradient !== null)?.backend;
  if (!backend) return null;
  const sums = Tensor.zeros(backend, "f64", [gradients.length]);
  for (const [i, gradient] of gradients.entries()) {
    if (gradient) addSumOfSquares(sums.slice(i, i + 1), gradient);
  }
  return sums;
}

/** Reads what `sumGradientSquares` enqueued; `scale` is a factor on the gradients. */
export async function readNorms(sums: Tensor<"f64">, scale = 1): Promise<GradientNorms> {
  const squares = [...(await sums.read())];
  const each = squares.map((square) => Math.sqrt(square) * scale);
  return { total: Math.sqrt(sum(squares)) * scale, each };
}

/** Returns `min(1, limit/(norm + 1e-6))`, the factor of PyTorch's `clip_grad_norm_`. */
export function clipFactor(norm: number, limit: number | null): number {
  return limit === null ? 1 : Math.min(1, limit / (norm + 1e-6));
}
