import type { ScaleStart } from "../../quant/grid.ts";
import type { Scheme } from "../../quant/scheme.ts";
import type { ModelProblem, TrainedModel } from "../define-method.ts";
import { LatentWeights } from "./latent-weights.ts";
import { trainParameters } from "./train-parameters.ts";
import {
  rateForWidth,
  type TrainingDefaults,
  trainingLength,
  type TrainingOptions,
} from "./training-options.ts";

/** In what methods that train latent weights differ. */
export interface LatentTraining {
  readonly defaults: TrainingDefaults;
  /** Learning rate for the most bits among the schemes, of a model 4096 wide. */
  readonly rateOf: (bits: number) => number;
  /** Start of the scales, where it is not the grid's. */
  readonly startOf?: ((scheme: Scheme) => ScaleStart | undefined) | undefined;
}

/** Trains linears as values of their grids on the cross-entropy of the next token; packs them. */
export async function trainLatentWeights(
  problem: ModelProblem<TrainingOptions>,
  training: LatentTraining,
): Promise<TrainedModel> {
  const { model, options, schemeOf, windows } = problem;
  const length = trainingLength(options, { windows: windows.length }, training.defaults);
  const latent = await LatentWeights.of(model, schemeOf, training.startOf);
  const bits = Math.max(...model.linears.map(({ module }) => schemeOf(module)?.grid.bits ?? 0));
  const rate = rateForWidth(training.rateOf(bits), model.model.hiddenSize);
  const learningRate = options.learningRate ?? rate;
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
  });
  return { linears: await latent.freeze(), tensors: latent.rest(), progress };
}
