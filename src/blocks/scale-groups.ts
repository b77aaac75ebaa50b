import type { Checkpoint } from "../formats/checkpoint.ts";
import type { Method } from "../methods/define-method.ts";
import type { Block, QuantizableModel, ScaleGroup, ScorePair } from "../nn/quantizable-model.ts";
import { biasVectors, producerVectors } from "../nn/scale-channels.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { blockTransformsOf, type Recipe } from "../recipe/recipe.ts";

/** Lists the scale groups of block `index` whose linears will all be quantized, for transforms. */
export function quantizedGroups(
  model: QuantizableModel,
  linears: readonly PlannedLinear[],
  index: number,
): ScaleGroup[] {
  const quantized = quantizedSlots(linears, index);
  return model.scaleGroups(index).filter(({ producer, producerKind, consumers }) => {
    const touched = producerKind === "linear" ? [producer, ...consumers] : consumers;
    return touched.every((slot) => quantized.has(slot));
  });
}

/** The queries and keys of block `index`, if both will be quantized and can be scaled. */
export function quantizedScores(
  model: QuantizableModel,
  linears: readonly PlannedLinear[],
  index: number,
): ScorePair | null {
  const pair = model.scorePair(index);
  const quantized = quantizedSlots(linears, index);
  return pair && quantized.has(pair.query) && quantized.has(pair.key) ? pair : null;
}

function quantizedSlots(linears: readonly PlannedLinear[], index: number): Set<string> {
  const own = linears.filter(({ block, scheme }) => block === index && scheme);
  return new Set(own.map(({ slot }) => slot));
}

/** Whether the quantizer of a recipe scales channels. */
export function scalesChannels(
  method: Method,
  linears: readonly PlannedLinear[],
  { options }: Pick<Recipe, "options">,
): boolean {
  const schemes = linears.flatMap(({ scheme }) => scheme ?? []);
  return method.scalesChannels?.(options, schemes) ?? false;
}

/**
 * Lists the tensors of a checkpoint, other than weights of linears, that the transforms or the
 * quantizer of a recipe may change: weights and biases of norms and biases of linears that produce
 * the channels of a scale group; of a quantizer that scales, the biases of all linears.
 */
export function changedTensors(
  model: QuantizableModel,
  checkpoint: Checkpoint,
  linears: readonly PlannedLinear[],
  method: Method,
  recipe: Pick<Recipe, "transforms" | "options">,
): Set<string> {
  const isScaled = scalesChannels(method, linears, recipe);
  if (blockTransformsOf(recipe).length === 0 && !isScaled) return new Set();
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
  if (isScaled) {
    names.push(...linears.flatMap(({ module, scheme }) => (scheme ? `${module}.bias` : [])));
  }
  return new Set(names.filter((name) => checkpoint.tensors.has(name)));
}

/**
 * Returns the tensors of a block that scaling these groups may change, and biases of slots, by full
 * names.
 */
export function changedInBlock(
  block: Block,
  groups: readonly ScaleGroup[],
  slots: readonly string[] = [],
): Map<string, Tensor<"f32">> {
  const vectors = [
    ...groups.flatMap((group) => [...producerVectors(block, group)]),
    ...biasVectors(block, slots),
  ];
  return new Map(vectors.map(([name, tensor]) => [`${block.name}.${name}`, tensor]));
}
