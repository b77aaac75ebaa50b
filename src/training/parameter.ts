import type { Tensor } from "../tensor/tensor.ts";

/** A tensor that training changes. */
export interface Parameter {
  /** Name as in a checkpoint, such as `model.layers.3.mlp.up_proj.weight`; unique in a run. */
  readonly name: string;
  /** Master value, float32, changed in place. */
  readonly value: Tensor<"f32">;
  /** Group of the optimizer that it belongs to, such as `weights` or `scales`. */
  readonly group: string;
}

/** A gradient for each parameter, in their order; null where the loss does not depend on one. */
export type Gradients = readonly (Tensor<"f32"> | null)[];
