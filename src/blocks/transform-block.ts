import { LayerInputs } from "../calibration/statistics/layer-inputs.ts";
import type { Method, TransformedPart } from "../methods/define-method.ts";
import type { LinearSlot } from "../nn/linear.ts";
import type { Block, QuantizableModel, ScaleGroup } from "../nn/quantizable-model.ts";
import type { Scheme } from "../quant/scheme.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import { monotonicMs } from "../platform/node.ts";
import type { ActivationCache } from "./activations.ts";
import type { TransformRecord } from "../run/run-record.ts";

/** A transform of a recipe. */
export interface ChosenTransform {
  readonly method: Method;
  readonly options: Record<string, unknown>;
}

/** What changing a block needs to know of the run. */
export interface TransformJob {
  readonly model: QuantizableModel;
  readonly transforms: readonly ChosenTransform[];
  readonly blockIndex: number;
  /** The scale groups that may be changed. */
  readonly groups: readonly ScaleGroup[];
  /** Inputs of the block; null when none of the transforms needs data and none was given. */
  readonly activations: ActivationCache | null;
  readonly schemeOf: (slot: string) => Scheme | null;
  readonly signal?: AbortSignal | undefined;
  readonly onActivity: (activity: string) => void;
}

/** Runs the transforms of a recipe on a block, one after the other. */
export async function transformBlock(block: Block, job: TransformJob): Promise<TransformRecord[]> {
  const records: TransformRecord[] = [];
  for (const { method, options } of job.transforms) {
    throwIfCancelled(job.signal);
    const { transformBlock: change } = method;
    if (!change) continue;
    const startedMs = monotonicMs();
    const inputs = await gather(block, method, job);
    try {
      const transform = (hidden: readonly Tensor<"f32">[]): Promise<readonly TransformedPart[]> =>
        change({
          model: job.model,
          block,
          groups: job.groups,
          inputs: hidden,
          statisticsOf: (slot) => inputs.of({ name: slot }) ?? fail(method),
          schemeOf: job.schemeOf,
          options,
          report: (activity) => job.onActivity(`${method.id}: ${activity}`),
          signal: job.signal,
        });
      const tokens = method.trials?.(options).tokens ?? 0;
      const parts = await (job.activations?.withFirst(tokens, transform) ?? transform([]));
      const elapsedMs = monotonicMs() - startedMs;
      records.push({ method: method.id, block: job.blockIndex, parts, elapsedMs });
    } finally {
      inputs.release();
    }
  }
  return records;
}

function fail(method: Method): never {
  throw new UsageError(`${method.title} needs calibration text, and none was given`);
}

async function gather(block: Block, method: Method, job: TransformJob): Promise<LayerInputs> {
  const inputs = new LayerInputs(method.needs.statistics);
  const { activations } = job;
  if (!activations || method.needs.statistics.length === 0) return inputs;
  job.onActivity(`${method.id}: inputs`);
  const isWanted = ({ name }: LinearSlot): boolean => job.schemeOf(name) !== null;
  const observe = (slot: LinearSlot, input: Tensor): void => {
    if (isWanted(slot)) inputs.observe(slot, input);
  };
  const last = block.stages.findLastIndex((slots) => slots.some(isWanted));
  await activations.forEach((batch) => {
    inputs.nextPass();
    job.model.forwardBlock(block, batch, { position: 0, observe, untilStage: last });
  }, job.signal);
  return inputs;
}
