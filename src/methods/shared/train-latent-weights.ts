import type { Tensor } from "../../tensor/tensor.ts";
import type { ModelProblem, TrainedModel } from "../define-method.ts";
import { type LatentLayers, LatentWeights } from "./latent-weights.ts";
import { type ModelTraining, trainParameters } from "./train-parameters.ts";
import { type TrainingDefaults, trainingLength, type TrainingOptions } from "./training-options.ts";

/** In what methods that train latent weights differ. */
export interface LatentTraining extends LatentLayers {
  readonly defaults: TrainingDefaults;
  /** Learning rate for the most bits among the schemes, of a model of a width. */
  readonly rateOf: (bits: number, hiddenSize: number) => number;
  /** Changes a float weight in place, before the first step and after each; enqueues only. */
  readonly limit?: (weight: Tensor<"f32">) => void;
  /** Enqueues a micro-batch and its gradients; by default of next-token cross-entropy. */
  readonly loss?: ModelTraining["loss"] | undefined;
}

/** Trains linears as values of their grids, and all else with them; packs them. */
export async function trainLatentWeights(
  problem: ModelProblem<TrainingOptions>,
  training: LatentTraining,
): Promise<TrainedModel> {
  const { model, options, schemeOf, windows } = problem;
  const length = trainingLength(options, { windows: windows.length }, training.defaults);
  const latent = await LatentWeights.of(model, schemeOf, training);
  const limitAll = (): void => latent.masters.forEach((weight) => training.limit?.(weight));
  limitAll();
  const bits = Math.max(...model.linears.map(({ module }) => schemeOf(module)?.grid.bits ?? 0));
  const learningRate = options.learningRate ?? training.rateOf(bits, model.model.hiddenSize);
  const { weightDecay } = options;
  const progress = await trainParameters(problem, {
    parameters: latent.parameters,
    optimizer: {
      groups: {
        weights: { learningRate, weightDecay },
        scales: { learningRate },
        rest: { learningRate },
      },
    },
    length,
    afterStep: limitAll,
    ...(training.loss && { loss: training.loss }),
  });
  return { linears: await latent.freeze(), tensors: latent.rest(), progress };
}
