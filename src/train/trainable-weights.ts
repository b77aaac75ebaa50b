import type { Backend } from "../backend/backend.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { Tensor } from "../tensor/tensor.ts";

/**
 * The weights of a checkpoint as training needs them: in float32, linears of blocks packed where
 * they are, embedding and output head decoded, since gradients flow through them.
 */
export function trainableWeights(
  { checkpoint, model }: Pick<OpenedModel, "checkpoint" | "model">,
  backend: Backend,
): WeightSource {
  const source = new CheckpointWeights(backend, checkpoint, "float32");
  const ends = new Set(model.embeddingAndHead().map(({ module }) => module));
  const matrix = async (module: string): Promise<Tensor | QTensor> => {
    const weight = await source.matrix(module);
    if (!(weight instanceof QTensor && ends.has(module))) return weight;
    const shape = [weight.outFeatures, weight.inFeatures];
    return Tensor.from(backend, "f32", shape, weight.dequantize());
  };
  return {
    has: (name) => source.has(name),
    shape: (name) => source.shape(name),
    tensor: (name) => source.tensor(name),
    matrix,
    storedMatrix: matrix,
  };
}
