import type { InputStatistics, Statistic } from "../calibration/statistics/layer-inputs.ts";
import { fillUnseen } from "../formats/imatrix/imatrix.ts";
import type { QuantizedLinear } from "../methods/define-method.ts";
import type { LinearSlot } from "../nn/linear.ts";
import { makeLinear } from "../nn/make-linear.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { floatLinear } from "../nn/scale-channels.ts";
import { monotonicMs } from "../platform/node.ts";
import type { LayerActivations } from "../quant/activation-grid.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import { isMoreThanWeights, withoutActivations } from "../quant/scheme.ts";
import type { ChosenMethod } from "../recipe/recipe.ts";
import { LayerError } from "../run/layer-error.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { throwIfCancelled } from "../util/errors.ts";
import type { BlockJob } from "./block-job.ts";
import { type SlotTokens, tokensOf } from "./few-tokens.ts";
import { gatherInputs } from "./gather-inputs.ts";
import { SlotRanges } from "./slot-ranges.ts";

/**
 * Quantizes the linears of one block, stage by stage: gathers the inputs that each stage has now
 * (with `trueSequential` those that come out of the quantized stages before it), quantizes, and
 * puts the decoded weight in the slot, or the layer itself where more than a weight stands there.
 * `stream` is what the block gets.
 */
export async function quantizeLinears(
  block: Block,
  job: BlockJob,
  stream = job.streams?.quantized,
): Promise<void> {
  const { method, recipe } = job.job;
  const chosen = { method, options: recipe.options };
  const visit: VisitSlot = async (slot, inputs, ranges) => {
    const activations = await ranges.activations(slot.name, recipe.activationRange);
    await quantizeSlot(block, slot, { inputs, activations }, chosen, job);
  };
  await visitStages(block, job, chosen, visit, stream);
}

/** Does something to a slot, given what was gathered of its inputs. */
type VisitSlot = (
  slot: LinearSlot,
  inputs: InputStatistics | null,
  ranges: SlotRanges,
) => Promise<void>;

/** Goes to each slot that will be quantized, with what the method needs of its inputs of now. */
export async function visitStages(
  block: Block,
  job: BlockJob,
  chosen: ChosenMethod,
  visit: VisitSlot,
  stream = job.streams?.quantized,
): Promise<void> {
  const { signal } = job;
  const factors = job.factorsFor(chosen);
  for (const slots of stagesOf(block, job)) {
    const ranges = new SlotRanges(slots, job.schemeOf);
    if (stream) job.report(`inputs of ${slots[0].name}`);
    const statistics = statisticsOf(slots, job, chosen);
    const gathering = { slots, statistics, observe: ranges.observe, factors };
    const inputs = stream && (await gatherInputs(block, job, stream, gathering));
    for (const slot of slots) {
      throwIfCancelled(signal);
      await visit(slot, inputs?.of(slot) ?? null, ranges);
    }
    ranges.release();
    inputs?.release();
  }
}

/** What a method needs of the inputs, and their energies where these are the importance. */
export function statisticsOf(
  slots: readonly LinearSlot[],
  job: BlockJob,
  { method, options }: ChosenMethod,
): readonly Statistic[] {
  const statistics = method.statistics?.(options) ?? method.needs.statistics;
  const hasBlocks = slots.some(({ name }) => job.schemeOf(name)?.blocks);
  return method.usesImportance && hasBlocks && !job.job.importance
    ? [...statistics, "energies"]
    : statistics;
}

/** Slots that will be quantized, by the order in which their inputs are gathered. */
function stagesOf(block: Block, job: BlockJob): LinearSlot[][] {
  const stages = Object.values(block.stages)
    .map((slots) => job.chosen(slots))
    .filter(({ length }) => length > 0);
  const oneByOne = job.job.recipe.trueSequential && job.streams !== null;
  return oneByOne || stages.length === 0 ? stages : [stages.flat()];
}

/** What is known of the inputs of a slot. */
interface SlotInputs {
  readonly inputs: InputStatistics | null;
  readonly activations: LayerActivations | null;
}

async function quantizeSlot(
  block: Block,
  slot: LinearSlot,
  { inputs, activations }: SlotInputs,
  chosen: ChosenMethod,
  job: BlockJob,
): Promise<void> {
  const scheme = job.schemeOf(slot.name);
  if (!scheme) return;
  job.report(slot.name);
  const startedMs = monotonicMs();
  const error = await LayerError.of(floatLinear(block, slot.name).weight, inputs?.sample ?? null);
  const quantized = await quantizeLinear(block, slot, inputs, chosen, job);
  if (!quantized) return;
  const { weight: made, ...notes } = quantized;
  const stored = made.withActivations(scheme, activations);
  const decoded = await putDecoded(block, slot.name, made);
  const elapsedMs = monotonicMs() - startedMs;
  await job.finishLinear(block, slot.name, { stored, error, decoded, elapsedMs, ...notes });
  if (isMoreThanWeights(scheme)) await putLayer(block, slot, stored);
}

/** Lets a method quantize the weight of a slot; null where it does not quantize single layers. */
export async function quantizeLinear(
  block: Block,
  slot: LinearSlot,
  inputs: InputStatistics | null,
  { method, options }: ChosenMethod,
  job: BlockJob,
): Promise<(QuantizedLinear & Pick<SlotTokens, "tokens">) | null> {
  const scheme = job.schemeOf(slot.name);
  if (!scheme || !method.quantizeLinear) return null;
  const name = `${block.name}.${slot.name}`;
  const { tokens, tooFew } = tokensOf(block, slot, { inputs, calibrated: job.streams !== null });
  const sensitivities = (await job.sensitivities?.of(job.index, slot.name)) ?? null;
  const quantized = await method.quantizeLinear({
    name,
    weight: floatLinear(block, slot.name).weight,
    scheme: withoutActivations(scheme),
    hessian: inputs?.hessian ?? null,
    importance: await importanceOf(name, inputs, job),
    ...(tooFew !== undefined && { tooFew }),
    ...(sensitivities && { sensitivities }),
    options,
  });
  sensitivities?.release();
  return { ...quantized, ...(tokens !== undefined && { tokens }) };
}

/** Importance of the columns of a module: out of a file or else out of the calibration text. */
export async function importanceOf(
  module: string,
  inputs: InputStatistics | null,
  job: BlockJob,
): Promise<Float32Array | null> {
  if (job.job.importance) return job.job.importance.of(module);
  const means = await inputs?.energies?.means();
  return (means && fillUnseen(means)?.values) ?? null;
}

/** Puts the layer that a packed weight asks for in place of its decoded values. */
export async function putLayer(block: Block, slot: LinearSlot, packed: QTensor): Promise<void> {
  const { weight, bias } = floatLinear(block, slot.name);
  slot.layer = await makeLinear(weight.backend, packed, bias);
  weight.release();
}

/**
 * Puts the decoded values of a packed weight into the memory of the weight that its slot has, which
 * the method was free to overwrite, and returns them.
 */
export async function putDecoded(
  block: Block,
  slot: string,
  packed: QTensor,
): Promise<Tensor<"f32">> {
  const { weight } = floatLinear(block, slot);
  await weight.look((values) => void packed.dequantize(values));
  return weight;
}
