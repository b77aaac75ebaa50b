import type { Tensor } from "../tensor/tensor.ts";
import type { Gradients } from "./parameter.ts";

/** How far one step goes. */
export interface OptimizerStep {
  /** Number of the step, from 0. */
  readonly step: number;
  /** Factor of the schedule on the learning rate of every group. */
  readonly rate: number;
  /** Factor on the gradients before anything else: accumulation and clipping. */
  readonly gradientScale: number;
}

/** What moves parameters along their gradients. */
export interface Optimizer {
  /** What it keeps of the steps so far, by name: a state of the training has these, too. */
  readonly state: ReadonlyMap<string, Tensor<"f32" | "bf16">>;
  /** Moves every parameter that has a gradient, in place; waits where values decide how far. */
  step(gradients: Gradients, step: OptimizerStep): void | Promise<void>;
  /** Gives its memory back. */
  release(): void;
}
