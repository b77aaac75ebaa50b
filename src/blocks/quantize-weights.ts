import type { Backend } from "../backend/backend.ts";
import type { Checkpoint } from "../formats/checkpoint.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import { readFloatRows } from "../formats/read-float-tensor.ts";
import { transpose } from "../formats/tensor-forms.ts";
import { monotonicMs } from "../platform/node.ts";
import { type Scheme, withoutActivations } from "../quant/scheme.ts";
import { LayerError } from "../run/layer-error.ts";
import { outputEntries, type QuantizedOutput } from "../run/output/quantized-output.ts";
import type { PlannedLinear } from "../run/plan.ts";
import type { Quantization } from "../run/quantization.ts";
import type { CheckpointJob } from "../run/quantization-job.ts";
import type { LinearRecord, RunRecord } from "../run/run-record.ts";
import { Tensor } from "../tensor/tensor.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import { quantizeEmbeddingAndHead } from "./embedding-and-head.ts";
import { FinishedBlocks } from "./finished-blocks.ts";

/**
 * Quantizes the weights of a plan one at a time, without running a model: the memory is that of the
 * largest. Weights of one block are kept together when the run is interrupted.
 */
export function quantizeWeights(quantization: Quantization<CheckpointJob>): Promise<RunRecord> {
  const { plan, opened, options } = quantization.job;
  const { signal, emit } = options;
  const entries = outputEntries(opened.checkpoint, [...plan.linears, ...plan.ends]);
  return quantization.writeCheckpoint(entries, async (output) => {
    const finished = await FinishedBlocks.takeOver(quantization, output);
    await quantizeEmbeddingAndHead(quantization, output, finished);
    quantization.meter.beginBlocks();
    const blocks = byBlock(plan.linears, plan.blocks);
    for (let index = finished.count; index < blocks.length; index++) {
      const startedMs = monotonicMs();
      const linears: LinearRecord[] = [];
      for (const linear of blocks[index]) {
        throwIfCancelled(signal);
        const { scheme } = linear;
        if (scheme) linears.push(await quantizeWeight(linear, scheme, quantization, output));
      }
      await finished.add(index, { transforms: [], linears, blocks: [], outputs: null });
      const elapsedMs = monotonicMs() - startedMs;
      emit({ type: "block", block: index, blocks: blocks.length, elapsedMs });
    }
    return { ...finished.records, tokens: null };
  });
}

async function quantizeWeight(
  linear: PlannedLinear,
  scheme: Scheme,
  quantization: Quantization<CheckpointJob>,
  output: QuantizedOutput,
): Promise<LinearRecord> {
  const { job, meter } = quantization;
  const { method, recipe, opened, options } = job;
  const { module, block, slot, outFeatures, inFeatures } = linear;
  meter.report(block, slot);
  const startedMs = monotonicMs();
  const weight = await readMatrix(options.backend, opened.checkpoint, linear);
  const error = await LayerError.of(weight, null);
  const made = await method.quantizeLinear?.({
    name: module,
    weight,
    scheme: withoutActivations(scheme),
    hessian: null,
    options: recipe.options,
  });
  if (!made) throw new UsageError(`${method.title} does not quantize single weights`);
  weight.release();
  const stored = made.weight.withActivations(scheme, null);
  const shape = [outFeatures, inFeatures];
  const decoded = Tensor.from(options.backend, "f32", shape, made.weight.dequantize());
  const elapsedMs = monotonicMs() - startedMs;
  const outcome = { stored, error, decoded, elapsedMs };
  const record = await quantization.finishLinear(output, linear, outcome);
  decoded.release();
  meter.report(block, slot);
  return record;
}

/** Reads a matrix, or one of a stack, as `[out, in]` in float32. */
async function readMatrix(
  backend: Backend,
  checkpoint: Checkpoint,
  { module, outFeatures, inFeatures, stack }: PlannedLinear,
): Promise<Tensor<"f32">> {
  if (!stack) {
    return new CheckpointWeights(backend, checkpoint, "float32").tensor(`${module}.weight`);
  }
  const { tensor, index, transposed } = stack;
  const rows = transposed ? inFeatures : outFeatures;
  const values = await readFloatRows(checkpoint, tensor, index * rows, (index + 1) * rows);
  const turned = transposed ? transpose(values, inFeatures, outFeatures) : values;
  return Tensor.from(backend, "f32", [outFeatures, inFeatures], turned);
}

function byBlock(linears: readonly PlannedLinear[], count: number): PlannedLinear[][] {
  const blocks = Array.from({ length: count }, (): PlannedLinear[] => []);
  for (const linear of linears) blocks[linear.block].push(linear);
  return blocks;
}
