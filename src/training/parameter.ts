import type { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";

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

/**
 * Refuses settings of groups with which parameters cannot be moved.
 * @throws UsageError when a parameter's group has none, or a learning rate is out of range
 */
export function expectGroups(
  parameters: readonly Parameter[],
  groups: Readonly<Record<string, { readonly learningRate: number }>>,
): void {
  for (const { name, group } of parameters) {
    if (Object.hasOwn(groups, group)) continue;
    throw new UsageError(`parameter ${name} is of the group "${group}", which has no settings`);
  }
  for (const [name, { learningRate }] of Object.entries(groups)) {
    if (learningRate >= 0 && Number.isFinite(learningRate)) continue;
    throw new UsageError(
      `expected a learning rate of at least 0 for the group "${name}", got ${learningRate}`,
    );
  }
}
