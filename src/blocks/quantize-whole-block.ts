import { LayerInputs } from "../calibration/statistics/layer-inputs.ts";
import type { Method } from "../methods/define-method.ts";
import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import { floatLinear } from "../nn/scale-channels.ts";
import { monotonicMs } from "../platform/node.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import type { Scheme } from "../quant/scheme.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { ActivationCache } from "./activations.ts";
import { LayerError } from "../run/layer-error.ts";
import type { Prefixes } from "./prefixes.ts";
import { putDecoded } from "./quantize-block.ts";
import type { BlockRecord, LinearRecord } from "../run/run-record.ts";

/** Tokens whose inputs of the layers are enough to tell how far each layer is off. */
const sampledTokens = 256;

/** What quantizing a block as a whole needs to know of the run. */
export interface WholeBlockJob {
  readonly model: QuantizableModel;
  readonly method: Method;
  readonly options: Record<string, unknown>;
  readonly blockIndex: number;
  /** Inputs of the quantized block, and outputs of the original one. */
  readonly prefixes: Prefixes;
  readonly schemeOf: (slot: string) => Scheme | null;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  readonly onActivity: (activity: string, share: number) => void;
  /** Takes the quantized weights when all are there. */
  readonly onLinear: (linear: LinearRecord, weight: QTensor) => Promise<void>;
}

/** Quantizes the linears of one block together, and puts the decoded weights in their slots. */
export async function quantizeWholeBlock(block: Block, job: WholeBlockJob): Promise<BlockRecord> {
  const { method, model, blockIndex, prefixes, schemeOf } = job;
  const { quantized: inputs, original: targets } = prefixes;
  const startedMs = monotonicMs();
  const slots = block.slots.map(({ name }) => name).filter((name) => schemeOf(name) !== null);
  if (slots.length === 0) return { block: blockIndex, figures: {}, elapsedMs: 0 };
  if (!method.quantizeBlock || !targets) {
    throw new UsageError(`${method.title} needs calibration text, and none was given`);
  }
  const samples = await sampleInputs(block, model, inputs);
  const errors = new Map<string, LayerError>();
  for (const slot of slots) {
    const sample = samples.of({ name: slot })?.sample ?? null;
    errors.set(slot, await LayerError.of(floatLinear(block, slot).weight, sample));
  }
  const made = await method.quantizeBlock({
    model,
    block,
    inputs,
    targets,
    schemeOf,
    seed: job.seed,
    options: job.options,
    report: job.onActivity,
    signal: job.signal,
  });
  const elapsedMs = monotonicMs() - startedMs;
  for (const slot of slots) {
    const weight = made.weights.get(slot);
    const error = errors.get(slot);
    if (!weight || !error) throw new UsageError(`${method.title} left out ${block.name}.${slot}`);
    const decoded = putDecoded(block, slot, weight);
    const record: LinearRecord = {
      module: `${block.name}.${slot}`,
      block: blockIndex,
      slot,
      scheme: weight.scheme.id,
      bitsPerWeight: weight.bitsPerWeight,
      weights: decoded.size,
      relativeError: await error.against(decoded),
      errorOf: error.kind,
      elapsedMs: elapsedMs / slots.length,
    };
    await job.onLinear(record, weight);
  }
  samples.release();
  return { block: blockIndex, figures: made.figures, elapsedMs };
}

/** Gathers a few inputs of the original layers, out of the quantized blocks. */
async function sampleInputs(
  block: Block,
  model: QuantizableModel,
  activations: ActivationCache,
): Promise<LayerInputs> {
  const inputs = new LayerInputs([]);
  const pass = { position: 0, observe: inputs.observe, untilStage: block.stages.length - 1 };
  const visit = (hidden: Tensor<"f32">): void => {
    inputs.nextPass();
    model.forwardBlock(block, hidden, pass);
  };
  await activations.forEach(visit, undefined, sampledTokens);
  return inputs;
}
