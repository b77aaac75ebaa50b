import { z } from "zod";
import { LatentOneBitLinear } from "../../nn/latent-one-bit-linear.ts";
import { OneBitLinear } from "../../nn/one-bit-linear.ts";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Parameter } from "../../training/parameter.ts";
import { UnsupportedError } from "../../util/errors.ts";
import { defineMethod, type ModelProblem, type TrainedModel } from "../define-method.ts";
import { distill, distillationOptions, expectTeacher } from "../shared/distillation.ts";
import { freezeAll } from "../shared/latent-weights.ts";
import { equalLatents, floatWeights, latentsLike } from "../shared/latent-signs.ts";
import { choice, flag, positive } from "../shared/option-kinds.ts";
import { storesSignValues } from "../shared/sign-values.ts";
import { shortTraining } from "../shared/text-budget.ts";
import { trainParameters } from "../shared/train-parameters.ts";
import {
  type TrainingDefaults,
  trainingEffort,
  trainingLength,
  trainingOptions,
} from "../shared/training-options.ts";

const defaults: TrainingDefaults = { steps: 1000, weightDecay: 0.01, warmUp: 0.05 };

const options = z.object({
  ...trainingOptions(defaults),
  ...distillationOptions,
  latentMagnitude: positive(
    0.01,
    "size of the float weights at the start: how far they are from a change of sign",
  ),
  latents: choice(
    ["original", "equal"],
    "original",
    "whether they are sized as the weights of the model it learns from, or all alike",
  ),
  trainRest: flag(true, "train norms, biases, embedding and output head too, as the authors do"),
});

type Options = z.output<typeof options>;

/** The usual learning rate times the width of the model. */
const usualRate = 0.128;

/**
 * The training of OneBit (arXiv 2402.11295, section 3.4; defaults as in xuyuzhuang11/OneBit): from
 * signs and value vectors, as SVID leaves them, all of the model is trained to give the original's
 * predictions and hidden states. Signs are trained by way of float weights, whose gradient passes
 * the sign as 1.001 − tanh²(W). Adam with β = (0.9, 0.98).
 *
 * Deviations from the authors' code: the KL divergence is a mean over tokens (theirs, 0.01 times
 * the sum over tokens by the number of sequences, is kdWeight 0.01 times the tokens of a window);
 * both vectors are rounded to float16 in the forward pass already, and sign(0) = +1, so that the
 * packed model is the trained one; weight decay is for the float weights alone; the learning rate
 * grows as models get narrower; float weights begin as far from a change of sign as the original's
 * are, not all alike.
 */
export default defineMethod({
  id: "onebit-kd",
  title: "OneBit distillation",
  summary: "trains signs and vectors to follow the original",
  role: "finisher",
  paper: { arxiv: "2402.11295" },
  needs: { statistics: [] },
  usesTeacher: () => true,
  trainsTables: ({ trainRest }) => trainRest,
  supports: storesSignValues,
  usualGrid: () => "onebit",
  options,
  effort: (chosen, data) => trainingEffort(chosen, data, defaults),
  budget: (chosen, budget) =>
    shortTraining("OneBit", trainingEffort(chosen, budget.data, defaults), budget),
  trainModel,
});

async function trainModel(problem: ModelProblem<Options>): Promise<TrainedModel> {
  const { model, teacher, options: chosen, windows } = problem;
  expectTeacher(teacher, model);
  const length = trainingLength(chosen, { windows: windows.length }, defaults);
  const layers = await putLatentLayers(problem, teacher);
  const rest = chosen.trainRest ? model.tensors : new Map<string, Tensor<"f32">>();
  const learningRate = chosen.learningRate ?? usualRate / model.model.hiddenSize;
  const { weightDecay } = chosen;
  const parameters = parametersOf(layers, rest);
  const distillation = { ...chosen, student: model, teacher };
  const progress = await trainParameters(problem, {
    parameters,
    optimizer: {
      groups: {
        weights: { learningRate, weightDecay },
        vectors: { learningRate },
        rest: { learningRate },
      },
      betas: [0.9, 0.98],
    },
    length,
    loss: (batch, pass) => distill(distillation, batch, pass),
  });
  return { linears: await freezeAll(layers), tensors: rest, progress };
}

/** Puts latent weights in the slots of packed layers with such a scheme; by their full names. */
async function putLatentLayers(
  { model, schemeOf, options: { latentMagnitude, latents } }: ModelProblem<Options>,
  teacher: TrainableModel,
): Promise<Map<string, LatentOneBitLinear>> {
  const originalOf = floatWeights(teacher);
  const layers = new Map<string, LatentOneBitLinear>();
  for (const { module, at } of model.linears) {
    if (!schemeOf(module)) continue;
    if (!(at.layer instanceof OneBitLinear)) {
      throw new UnsupportedError(`${module} has no signs and value vectors to train`, {
        hint: "start from a model that svid has quantized: `preset: onebit`",
      });
    }
    const { outFeatures, inFeatures } = at.layer;
    const original =
      latents === "original" ? await originalOf(module, [outFeatures, inFeatures]) : null;
    const values = original
      ? latentsLike(at.layer, original, latentMagnitude)
      : equalLatents(at.layer, latentMagnitude);
    const latent = new LatentOneBitLinear(at.layer, values);
    at.layer = latent;
    layers.set(module, latent);
  }
  return layers;
}

function parametersOf(
  layers: ReadonlyMap<string, LatentOneBitLinear>,
  rest: TrainableModel["tensors"],
): Parameter[] {
  const latent = [...layers].flatMap(([module, layer]) => [
    { name: `${module}.weight`, value: layer.weight, group: "weights" },
    { name: `${module}.scales`, value: layer.scales, group: "vectors" },
    { name: `${module}.input_scales`, value: layer.inputScales, group: "vectors" },
  ]);
  return [...latent, ...[...rest].map(([name, value]) => ({ name, value, group: "rest" }))];
}
