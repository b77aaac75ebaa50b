import { multiplyInto } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ShapeError, UnsupportedError } from "../util/errors.ts";
import { Linear, type LinearSlot } from "./linear.ts";
import type { NormWeights } from "./norm.ts";
import type { Block, ScaleGroup } from "./quantizable-model.ts";

/** A linear layer whose weight is not packed. */
export interface FloatLinear {
  /** `[outFeatures, inFeatures]` */
  readonly weight: Tensor<"f32">;
  readonly bias: Tensor<"f32"> | null;
  readonly outFeatures: number;
  readonly inFeatures: number;
}

/** Returns the float32 linear in a slot. @throws UnsupportedError when it holds another layer */
export function floatLinear(block: Block, name: string): FloatLinear {
  return floatLayer(block, slotOf(block, name));
}

function floatLayer(block: Block, { name, layer }: LinearSlot): FloatLinear {
  if (layer instanceof Linear && layer.weight instanceof Tensor && layer.weight.dtype === "f32") {
    const { weight, bias, outFeatures, inFeatures } = layer;
    return { weight, bias, outFeatures, inFeatures } as FloatLinear;
  }
  throw new UnsupportedError(`${block.name}.${name} is already quantized`, {
    hint: "start from the original checkpoint",
  });
}

/** Reads the weights of float linears, by slot. */
export async function readWeights(
  block: Block,
  names: readonly string[],
): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const name of names) weights.set(name, await floatLinear(block, name).weight.read());
  return weights;
}

/** Puts another weight `[out, in]` into a slot, with the bias there; the old one is released. */
export function replaceWeight(block: Block, name: string, weight: Tensor<"f32">): void {
  const slot = slotOf(block, name);
  const { weight: old, bias } = floatLinear(block, name);
  slot.layer = new Linear(weight.backend, weight, bias);
  old.release();
}

/** Returns `W [out, in]` with column j times `factors[channelOf[j]]`, or `factors[j]` without. */
export function scaleColumns(
  weight: Float32Array,
  factors: Float32Array,
  channelOf?: Int32Array,
): Float32Array {
  const byColumn = channelOf ? Float32Array.from(channelOf, (c) => factors[c]) : factors;
  const columns = byColumn.length;
  const scaled = new Float32Array(weight.length);
  for (let row = 0; row < weight.length; row += columns) {
    for (let j = 0; j < columns; j++) scaled[row + j] = weight[row + j] * byColumn[j];
  }
  return scaled;
}

/**
 * Moves a factor for each channel from the producer of a group to its consumers: their columns are
 * multiplied by `factors [channels]`, the producer's outputs divided. In exact arithmetic the block
 * computes what it did.
 * @throws ShapeError when there is not one factor for each channel of the producer
 */
export async function scaleChannels(
  block: Block,
  group: ScaleGroup,
  factors: Float32Array,
): Promise<void> {
  const inverse = factors.map((factor) => 1 / factor);
  if (group.producerKind === "norm") divideNorm(block, group.producer, inverse);
  else await divideRows(block, group.producer, inverse);
  for (const { weight } of gatesOf(block, group).values()) {
    multiplyInto(weight, Tensor.from(weight.backend, "f32", [factors.length], factors));
  }
  for (const name of group.consumers) {
    const { weight } = floatLinear(block, name);
    const scaled = scaleColumns(await weight.read(), factors, group.channelOf);
    replaceWeight(block, name, Tensor.from(weight.backend, "f32", weight.shape, scaled));
  }
}

/** Returns the number of channels of a group's producer. */
export function channelCount(block: Block, { producer, producerKind }: ScaleGroup): number {
  if (producerKind === "norm") return normOf(block, producer).weight.size;
  return slotOf(block, producer).layer.outFeatures;
}

/** Returns the slot whose inputs stand for those of a group. */
export function inputSlot({ gates, consumers }: ScaleGroup): string {
  return gates?.[0] ?? consumers[0];
}

/**
 * Returns what scaling a group changes besides matrices of slots, by names below the block: weight
 * and bias of a norm, the bias of a linear, weights of gates.
 */
export function producerVectors(block: Block, group: ScaleGroup): Map<string, Tensor<"f32">> {
  const { producer, producerKind } = group;
  const found = producerKind === "norm" ? normOf(block, producer) : floatLinear(block, producer);
  const vectors = new Map<string, Tensor<"f32">>();
  if (producerKind === "norm") vectors.set(`${producer}.weight`, found.weight);
  for (const [name, { weight }] of gatesOf(block, group)) vectors.set(`${name}.weight`, weight);
  if (found.bias) vectors.set(`${producer}.bias`, found.bias);
  return vectors;
}

function gatesOf(block: Block, group: ScaleGroup): Map<string, FloatLinear> {
  const read = new Set(group.gates);
  return new Map(
    (block.gates ?? []).flatMap((slot) =>
      read.has(slot.name) ? [[slot.name, floatLayer(block, slot)]] : [],
    ),
  );
}

function divideNorm(block: Block, name: string, inverse: Float32Array): void {
  const { weight, bias } = normOf(block, name);
  expectChannels(`${block.name}.${name}`, weight.size, inverse);
  const factors = Tensor.from(weight.backend, "f32", weight.shape, inverse);
  multiplyInto(weight, factors);
  if (bias) multiplyInto(bias, factors);
}

async function divideRows(block: Block, name: string, inverse: Float32Array): Promise<void> {
  const { weight, bias, inFeatures, outFeatures } = floatLinear(block, name);
  expectChannels(`${block.name}.${name}`, outFeatures, inverse);
  const scaled = await weight.read();
  for (let row = 0; row < outFeatures; row++) {
    const factor = inverse[row];
    for (let at = row * inFeatures; at < (row + 1) * inFeatures; at++) scaled[at] *= factor;
  }
  replaceWeight(block, name, Tensor.from(weight.backend, "f32", weight.shape, scaled));
  if (!bias) return;
  multiplyInto(bias, Tensor.from(weight.backend, "f32", bias.shape, inverse));
}

function normOf(block: Block, name: string): NormWeights {
  const norm = block.normWeights.get(name);
  if (norm) return norm;
  throw new ShapeError(`${block.name} has no norm ${name}`);
}

function slotOf(block: Block, name: string): LinearSlot {
  const slot = block.slots.find((candidate) => candidate.name === name);
  if (slot) return slot;
  throw new ShapeError(`${block.name} has no slot ${name}`);
}

function expectChannels(name: string, channels: number, factors: Float32Array): void {
  if (factors.length === channels) return;
  throw new ShapeError(`${name}: expected ${channels} factors, got ${factors.length}`);
}
