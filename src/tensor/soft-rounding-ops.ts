import { expectShape } from "./shape.ts";
import { type Backward, isTracked, openPrecision, record } from "./tape.ts";
import { emptyLike, Tensor } from "./tensor.ts";

/*
 * The ops of AdaRound (arXiv 2004.10568): weights that lie between two values of a grid by a
 * variable each, which are pushed to one of them.
 */

/** What decides how weights `[rows, columns]` are rounded; all of that shape. */
export interface SoftRounding {
  /** Values of the grid below the weights. */
  readonly low: Tensor<"f32">;
  /** From there to the value above; 0 where there is none. */
  readonly step: Tensor<"f32">;
  /** What is learned: at 0 a weight is in the middle. */
  readonly variables: Tensor<"f32">;
}

/**
 * Weights by their variables v: `low + step·h(v)` with the rectified sigmoid h where a recording
 * wants gradients by v, otherwise the value above for v ≥ 0, and that below for others. bf16 within
 * a recording in bfloat16, otherwise f32.
 */
export function roundSoftly({ low, step, variables }: SoftRounding): Tensor<"f32" | "bf16"> {
  expectShape("steps", step.shape, low.shape);
  expectShape("variables", variables.shape, low.shape);
  const { kernels } = low.backend;
  const out = Tensor.empty(low.backend, openPrecision(), low.shape);
  kernels.roundSoftly(out, low, step, variables, !isTracked(variables));
  const backward: Backward = (dOut) => {
    const dVariables = emptyLike(variables);
    kernels.roundSoftlyBackward(dVariables, dOut, step, variables);
    return [dVariables];
  };
  return record(out, [variables], backward, [step, variables]);
}

/** Adds `weight` times the gradient of `Σ (1 − |2·h(v) − 1|^power)` to a gradient by v, in place. */
export function addRoundingPenalty(
  gradient: Tensor<"f32">,
  variables: Tensor<"f32">,
  weight: number,
  power: number,
): void {
  expectShape("gradient", gradient.shape, variables.shape);
  variables.backend.kernels.addRoundingPenalty(gradient, variables, weight, power);
}
