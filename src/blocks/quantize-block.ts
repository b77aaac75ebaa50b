import type { RangeEstimator } from "../calibration/statistics/activation-ranges.ts";
import { type InputStatistics, LayerInputs } from "../calibration/statistics/layer-inputs.ts";
import type { Method } from "../methods/define-method.ts";
import type { LinearSlot } from "../nn/linear.ts";
import { makeLinear } from "../nn/make-linear.ts";
import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import { floatLinear, replaceWeight } from "../nn/scale-channels.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import type { LayerActivations } from "../quant/activation-grid.ts";
import { makeScheme, type Scheme } from "../quant/scheme.ts";
import { Tensor } from "../tensor/tensor.ts";
import { throwIfCancelled } from "../util/errors.ts";
import { monotonicMs } from "../platform/node.ts";
import type { ActivationCache } from "./activations.ts";
import { SlotRanges } from "./slot-ranges.ts";
import { LayerError } from "../run/layer-error.ts";
import type { LinearRecord } from "../run/run-record.ts";

/** What quantizing a block needs to know of the run. */
export interface BlockJob {
  readonly model: QuantizableModel;
  readonly method: Method;
  readonly options: Record<string, unknown>;
  readonly blockIndex: number;
  /** Inputs of the block; null when the method needs no data and none was given. */
  readonly activations: ActivationCache | null;
  readonly trueSequential: boolean;
  /** How ranges of activations are found, for schemes that fix them. */
  readonly activationRange: RangeEstimator;
  /** Scheme of each slot; null leaves it as it is. */
  readonly schemeOf: (slot: string) => Scheme | null;
  readonly signal?: AbortSignal | undefined;
  readonly onActivity: (activity: string) => void;
  /** Takes each quantized weight as soon as it is there. */
  readonly onLinear: (linear: LinearRecord, weight: QTensor) => Promise<void>;
}

/**
 * Quantizes the linears of one block, stage by stage: gathers the inputs that each stage has now
 * (with `trueSequential` those that come out of the quantized stages before it), quantizes, and
 * puts the decoded weight in the slot, or the layer itself where more than a weight stands there.
 */
export async function quantizeBlock(block: Block, job: BlockJob): Promise<void> {
  for (const stage of stagesOf(block, job)) {
    const ranges = new SlotRanges(stage.slots, job.schemeOf);
    const inputs = await gather(block, stage.slots, stage.index, job, ranges);
    for (const slot of stage.slots) {
      throwIfCancelled(job.signal);
      const activations = await ranges.activations(slot.name, job.activationRange);
      await quantizeSlot(block, slot, inputs?.of(slot) ?? null, activations, job);
    }
    ranges.release();
    inputs?.release();
  }
}

interface Stage {
  readonly slots: readonly LinearSlot[];
  /** Index of the last stage that has to run for these inputs. */
  readonly index: number;
}

function stagesOf(block: Block, { schemeOf, trueSequential, activations }: BlockJob): Stage[] {
  const chosen = (slots: readonly LinearSlot[]): LinearSlot[] =>
    slots.filter((slot) => schemeOf(slot.name) !== null);
  const stages = block.stages.map((slots, index) => ({ slots: chosen(slots), index }));
  const used = stages.filter(({ slots }) => slots.length > 0);
  if ((trueSequential && activations) || used.length === 0) return used;
  return [{ slots: used.flatMap(({ slots }) => slots), index: used.at(-1)?.index ?? 0 }];
}

async function gather(
  block: Block,
  slots: readonly LinearSlot[],
  untilStage: number,
  job: BlockJob,
  ranges: SlotRanges,
): Promise<LayerInputs | null> {
  const { activations, model, method } = job;
  if (!activations) return null;
  job.onActivity(`inputs of ${slots[0]?.name ?? ""}`);
  const inputs = new LayerInputs(method.needs.statistics);
  const wanted = new Set(slots);
  const observe = (slot: LinearSlot, input: Tensor): void => {
    if (!wanted.has(slot)) return;
    inputs.observe(slot, input);
    ranges.observe(slot, input);
  };
  await activations.forEach((batch) => {
    inputs.nextPass();
    model.forwardBlock(block, batch, { position: 0, observe, untilStage });
  }, job.signal);
  return inputs;
}

async function quantizeSlot(
  block: Block,
  slot: LinearSlot,
  inputs: InputStatistics | null,
  activations: LayerActivations | null,
  job: BlockJob,
): Promise<void> {
  const { method, options, schemeOf } = job;
  const scheme = schemeOf(slot.name);
  const module = `${block.name}.${slot.name}`;
  if (!scheme || !method.quantizeLinear) return;
  job.onActivity(slot.name);
  const startedMs = monotonicMs();
  const { weight } = floatLinear(block, slot.name);
  const error = await LayerError.of(weight, inputs?.sample ?? null);
  const made = await method.quantizeLinear({
    name: module,
    weight,
    scheme: makeScheme(scheme.grid, scheme.groupSize),
    hessian: inputs?.hessian ?? null,
    options,
  });
  const stored = made.weight.withActivations(scheme, activations);
  const relativeError = await error.against(putDecoded(block, slot.name, made.weight));
  if (scheme.grid.normalizedOutputs) await putLayer(block, slot, stored);
  const record: LinearRecord = {
    module,
    block: job.blockIndex,
    slot: slot.name,
    scheme: scheme.id,
    bitsPerWeight: stored.bitsPerWeight,
    weights: weight.size,
    relativeError,
    errorOf: error.kind,
    ...(made.damping === undefined ? {} : { damping: made.damping }),
    ...(made.fallback === undefined ? {} : { fallback: made.fallback }),
    elapsedMs: monotonicMs() - startedMs,
  };
  await job.onLinear(record, stored);
}

/** Puts the layer that a packed weight asks for in place of its decoded values. */
async function putLayer(block: Block, slot: LinearSlot, packed: QTensor): Promise<void> {
  const { weight, bias } = floatLinear(block, slot.name);
  slot.layer = await makeLinear(weight.backend, packed, bias);
  weight.release();
}

/** Puts the decoded values of a packed weight into its slot, and returns them. */
export function putDecoded(block: Block, slot: string, packed: QTensor): Tensor<"f32"> {
  const { backend, shape } = floatLinear(block, slot).weight;
  const decoded = Tensor.from(backend, "f32", shape, packed.dequantize());
  replaceWeight(block, slot, decoded);
  return decoded;
}
