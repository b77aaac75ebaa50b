import type { TrainedModel } from "../methods/define-method.ts";
import { monotonicMs } from "../platform/node.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { LayerError } from "../run/layer-error.ts";
import { describeLinear } from "../run/linear-record.ts";
import type { QuantizedOutput } from "../run/output/quantized-output.ts";
import type { Quantization } from "../run/quantization.ts";
import type { LinearRecord } from "../run/run-record.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";

/** Writes the packed linears, and notes how far each is from what the model began with. */
export async function writeLinears(
  { linears }: TrainedModel,
  { job, meter }: Quantization,
  output: QuantizedOutput,
): Promise<LinearRecord[]> {
  const { opened, plan, method, options } = job;
  const { backend, emit } = options;
  const source = new CheckpointWeights(backend, opened.checkpoint, "float32");
  const records: LinearRecord[] = [];
  for (const linear of plan.linears) {
    const { module, scheme } = linear;
    if (!scheme) continue;
    const startedMs = monotonicMs();
    const stored = linears.get(module);
    if (!stored) throw new UsageError(`${method.title} left out ${module}`);
    await output.writeLinear(module, stored);
    const before = await floatMatrix(source, module);
    const error = await LayerError.of(before, null);
    const decoded = Tensor.from(backend, "f32", before.shape, stored.dequantize());
    const elapsedMs = monotonicMs() - startedMs;
    const record = await describeLinear(linear, { stored, error, decoded, elapsedMs });
    before.release();
    decoded.release();
    records.push(record);
    meter.advance(record.weights);
    emit({ type: "linear", linear: record });
  }
  return records;
}

/**
 * Writes the float tensors that training has changed, in the dtype of the original.
 */
export async function writeTensors(
  { tensors }: TrainedModel,
  { checkpoint }: OpenedModel,
  output: QuantizedOutput,
): Promise<void> {
  for (const [name, tensor] of tensors) {
    if (checkpoint.has(name)) await output.writeTensor(name, await tensor.read());
  }
}

async function floatMatrix(source: CheckpointWeights, module: string): Promise<Tensor<"f32">> {
  const weight = await source.matrix(module);
  if (!(weight instanceof QTensor)) return weight as Tensor<"f32">;
  const shape = [weight.outFeatures, weight.inFeatures];
  return Tensor.from(source.backend, "f32", shape, weight.dequantize());
}
