import type { Checkpoint } from "../formats/checkpoint.ts";
import type { Block, QuantizableModel, ScaleGroup } from "../nn/quantizable-model.ts";
import { producerVectors } from "../nn/scale-channels.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { blockTransformsOf, type Recipe } from "../recipe/recipe.ts";

/** Lists the scale groups of block `index` whose linears will all be quantized, for transforms. */
export function quantizedGroups(
  model: QuantizableModel,
  linears: readonly PlannedLinear[],
  index: number,
): ScaleGroup[] {
  const quantized = new Set(
    linears.filter(({ block, scheme }) => block === index && scheme).map(({ slot }) => slot),
  );
  return model.scaleGroups(index).filter(({ producer, producerKind, consumers }) => {
    const touched = producerKind === "linear" ? [producer, ...consumers] : consumers;
    return touched.every((slot) => quantized.has(slot));
  });
}

/**
 * Lists the tensors of a checkpoint, other than weights of linears, that the transforms of a recipe
 * may change: weights and biases of norms and biases of linears that produce the channels of a
 * scale group.
 */
export function changedTensors(
  model: QuantizableModel,
  checkpoint: Checkpoint,
  linears: readonly PlannedLinear[],
  recipe: Pick<Recipe, "transforms">,
): Set<string> {
  if (blockTransformsOf(recipe).length === 0) return new Set();
  const blocks = new Map(
    linears.map(({ module, slot, block }) => [block, module.slice(0, -slot.length - 1)]),
  );
  const names = [...blocks].flatMap(([index, block]) =>
    quantizedGroups(model, linears, index).flatMap(({ producer, producerKind, gates = [] }) => [
      ...gates.map((gate) => `${block}.${gate}.weight`),
      ...(producerKind === "norm" ? [`${block}.${producer}.weight`] : []),
      `${block}.${producer}.bias`,
    ]),
  );
  return new Set(names.filter((name) => checkpoint.tensors.has(name)));
}

/** Returns the tensors of a block that scaling these groups may change, by full names. */
export function changedInBlock(
  block: Block,
  groups: readonly ScaleGroup[],
): Map<string, Tensor<"f32">> {
  const tensors = new Map<string, Tensor<"f32">>();
  for (const group of groups) {
    for (const [name, tensor] of producerVectors(block, group)) {
      tensors.set(`${block.name}.${name}`, tensor);
    }
  }
  return tensors;
}
