import { addInto, multiplyInto } from "../tensor/ops.ts";
import { linear } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ShapeError, UnsupportedError } from "../util/errors.ts";
import { Linear, type LinearSlot } from "./linear.ts";
import type { NormWeights } from "./norm.ts";
import type { Block, ScaleGroup, ScorePair } from "./quantizable-model.ts";

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
  else await multiplyRows(block, group.producer, inverse);
  for (const { weight } of gatesOf(block, group).values()) {
    multiplyInto(weight, Tensor.from(weight.backend, "f32", [factors.length], factors));
  }
  for (const name of group.consumers) {
    const { weight } = floatLinear(block, name);
    const scaled = scaleColumns(await weight.read(), factors, group.channelOf);
    replaceWeight(block, name, Tensor.from(weight.backend, "f32", weight.shape, scaled));
  }
}

/**
 * Divides the rows of queries by factors, and multiplies those of keys, biases likewise. In exact
 * arithmetic the block computes what it did.
 * @throws ShapeError when a slot has not one row for each factor that the pair names
 */
export async function scaleScores(
  block: Block,
  { query, key, factorOfQuery, factorOfKey }: ScorePair,
  factors: Float32Array,
): Promise<void> {
  await multiplyRows(
    block,
    query,
    Float32Array.from(factorOfQuery, (at) => 1 / factors[at]),
  );
  await multiplyRows(
    block,
    key,
    Float32Array.from(factorOfKey, (at) => factors[at]),
  );
}

/**
 * Whether a shift can be moved from a group's producer to its consumers: behind a norm, where that and
 * all consumers have biases, and no gate reads it.
 */
export function canShift(
  block: Block,
  { producer, producerKind, consumers, gates }: ScaleGroup,
): boolean {
  const isRead = consumers.every((name) => floatLinear(block, name).bias !== null);
  return producerKind === "norm" && normOf(block, producer).bias !== null && isRead && !gates;
}

/**
 * Subtracts a shift for each channel from what the norm of a group gives, and has the biases of its
 * consumers make up for it. In exact arithmetic the block computes what it did.
 * @throws UnsupportedError where `canShift` says no
 */
export function shiftChannels(block: Block, group: ScaleGroup, shifts: Tensor<"f32">): void {
  const { bias: produced } = normOf(block, group.producer);
  if (!produced || !canShift(block, group)) {
    throw new UnsupportedError(`${block.name}.${group.producer}: a shift has no bias to go to`, {
      hint: "set `shifts` to false",
    });
  }
  const minus = Tensor.from(
    shifts.backend,
    "f32",
    shifts.shape,
    new Float32Array(shifts.size).fill(-1),
  );
  for (const name of group.consumers) {
    const { weight, bias } = floatLinear(block, name);
    const moved = linear(shifts.reshape([1, shifts.size]), weight);
    if (bias) addInto(bias, moved.reshape(bias.shape));
    moved.release();
  }
  multiplyInto(minus, shifts);
  addInto(produced, minus.reshape(produced.shape));
  minus.release();
}

/** Returns the biases of the float linears in some slots, by names below the block. */
export function biasVectors(block: Block, slots: readonly string[]): Map<string, Tensor<"f32">> {
  const vectors = new Map<string, Tensor<"f32">>();
  for (const name of slots) {
    const { bias } = floatLinear(block, name);
    if (bias) vectors.set(`${name}.bias`, bias);
  }
  return vectors;
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

async function multiplyRows(block: Block, name: string, factors: Float32Array): Promise<void> {
  const { weight, bias, inFeatures, outFeatures } = floatLinear(block, name);
  expectChannels(`${block.name}.${name}`, outFeatures, factors);
  const scaled = await weight.read();
  for (let row = 0; row < outFeatures; row++) {
    const factor = factors[row];
    for (let at = row * inFeatures; at < (row + 1) * inFeatures; at++) scaled[at] *= factor;
  }
  replaceWeight(block, name, Tensor.from(weight.backend, "f32", weight.shape, scaled));
  if (!bias) return;
  multiplyInto(bias, Tensor.from(weight.backend, "f32", bias.shape, factors));
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
