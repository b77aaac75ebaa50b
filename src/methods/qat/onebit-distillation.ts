import { z } from "zod";
import { LatentOneBitLinear } from "../../nn/latent-one-bit-linear.ts";
import { OneBitLinear } from "../../nn/one-bit-linear.ts";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { type Tensor, tidy } from "../../tensor/tensor.ts";
import { directionErrorGradient, klDivergenceGradient } from "../../tensor/training-ops.ts";
import type { Parameter } from "../../training/parameter.ts";
import { UnsupportedError, UsageError } from "../../util/errors.ts";
import { defineMethod, type ModelProblem, type TrainedModel } from "../define-method.ts";
import { type ModelLoss, type ModelOutputs, trainParameters } from "../shared/train-model.ts";
import {
  type TrainingDefaults,
  trainingEffort,
  trainingLength,
  trainingOptions,
} from "../shared/training-options.ts";

const defaults: TrainingDefaults = { steps: 400, weightDecay: 0.01, warmUp: 0.05 };

const options = z.object({
  ...trainingOptions(defaults),
  kdWeight: z
    .number()
    .min(0)
    .default(1)
    .describe("weight of the mean KL divergence from the teacher, nats a token"),
  hiddenWeight: z
    .number()
    .min(0)
    .default(1)
    .describe("weight of the distances between directions of hidden states"),
  latentMagnitude: z
    .number()
    .positive()
    .default(0.01)
    .describe("size of the float weights at the start: how far they are from a change of sign"),
  trainRest: z
    .boolean()
    .default(true)
    .describe("train norms, biases, embedding and output head too, as the authors do"),
});

type Options = z.output<typeof options>;

/**
 * The training of OneBit (arXiv 2402.11295, section 3.4; defaults as in xuyuzhuang11/OneBit): from signs and value vectors, as
 * SVID leaves them, all of the model is trained to give the teacher's predictions and hidden states,
 *
 *     L = kdWeight · KL(teacher ‖ student) + hiddenWeight · Σ_l ‖h_t/‖h_t‖ − h_s/‖h_s‖‖²
 *
 * both averaged over tokens, l over the output of the embedding and of all blocks but the last. Adam with β = (0.9, 0.98).
 *
 * Deviations from the authors' code: the KL divergence is a mean over tokens (theirs, 0.01 times the sum over tokens by the
 * number of sequences, is kdWeight 0.01 times the tokens of a window); both vectors are rounded to float16
 * in the forward pass already, and sign(0) = +1, so that the packed model is the trained one.
 */
export default defineMethod({
  id: "onebit-distillation",
  title: "OneBit distillation",
  summary: "trains signs and value vectors towards the original's predictions and hidden states",
  role: "finisher",
  paper: { arxiv: "2402.11295" },
  needs: { statistics: [], order: "independent", teacher: true },
  supports: ({ grid }) => grid.inputScales === true && grid.levels === 2,
  options,
  effort: (chosen, data) => trainingEffort(chosen, data, defaults),
  trainModel,
});

async function trainModel(problem: ModelProblem<Options>): Promise<TrainedModel> {
  const { model, teacher, options: chosen, windows } = problem;
  expectTeacher(teacher, model);
  const length = trainingLength(chosen, { windows: windows.length }, defaults);
  const layers = putLatentLayers(model, chosen.latentMagnitude);
  const rest = chosen.trainRest ? model.tensors : new Map<string, Tensor<"f32">>();
  const { weightDecay } = chosen;
  const learningRate = chosen.learningRate ?? usualRate / model.model.hiddenSize;
  const progress = await trainParameters(problem, {
    parameters: parametersOf(layers, rest),
    optimizer: {
      groups: {
        weights: { learningRate, weightDecay },
        vectors: { learningRate },
        rest: { learningRate },
      },
      betas: [0.9, 0.98],
    },
    length,
    loss: (outputs) => distillationLoss(teacher, outputs, chosen),
  });
  const linears = new Map<string, QTensor>();
  for (const [module, layer] of layers) linears.set(module, await layer.freeze());
  return { linears, tensors: rest, progress };
}

/** The learning rate times the width of the model. */
const usualRate = 0.128;

/** Puts latent weights in the slots of packed one-bit layers; by their full names. */
function putLatentLayers(
  model: TrainableModel,
  magnitude: number,
): Map<string, LatentOneBitLinear> {
  const layers = new Map<string, LatentOneBitLinear>();
  for (const { module, at } of model.linears) {
    if (!(at.layer instanceof OneBitLinear)) continue;
    const layer = new LatentOneBitLinear(at.layer, magnitude);
    at.layer = layer;
    layers.set(module, layer);
  }
  if (layers.size > 0) return layers;
  throw new UnsupportedError("no linear layer has signs and value vectors to train", {
    hint: "start from a model that svid has quantized to w1-onebit",
  });
}

function parametersOf(
  layers: ReadonlyMap<string, LatentOneBitLinear>,
  rest: ReadonlyMap<string, Tensor<"f32">>,
): Parameter[] {
  const latent = [...layers].flatMap(([module, layer]) => [
    { name: `${module}.weight`, value: layer.weight, group: "weights" },
    { name: `${module}.scales`, value: layer.scales, group: "vectors" },
    { name: `${module}.input_scales`, value: layer.inputScales, group: "vectors" },
  ]);
  return [...latent, ...[...rest].map(([name, value]) => ({ name, value, group: "rest" }))];
}

/** Divergence of predictions and directions of hidden states, with their gradients by the student's outputs. */
function distillationLoss(
  teacher: TrainableModel,
  { ids, logits, hidden }: ModelOutputs,
  { kdWeight, hiddenWeight }: Options,
): ModelLoss {
  const states: Tensor<"f32">[] = [];
  const [expected, ...expectedStates] = tidy(() => {
    const observe = (state: Tensor<"f32">): void => void states.push(state);
    const predictions = teacher.forward(ids, { observe });
    return [predictions, ...states];
  });
  const kdScale = kdWeight / ids.size;
  const { divergences, gradient } = klDivergenceGradient(expected, logits, kdScale);
  const hiddenScale = hiddenWeight / ids.size;
  const directions = hidden.slice(0, -1).map((state, l) => {
    const made = directionErrorGradient(expectedStates[l], state, hiddenScale);
    return { state, ...made };
  });
  for (const tensor of [expected, ...expectedStates]) tensor.release();
  return {
    terms: [
      { name: "kl", values: divergences, scale: kdScale },
      ...directions.map(({ errors }) => ({ name: "hidden", values: errors, scale: hiddenScale })),
    ],
    seeds: [
      [logits, gradient],
      ...directions.map(({ state, gradient: byState }) => [state, byState] as const),
    ],
  };
}

function expectTeacher(
  teacher: TrainableModel | null,
  student: TrainableModel,
): asserts teacher is TrainableModel {
  if (!teacher) throw new UsageError("OneBit distillation needs a teacher, and none was given");
  const [theirs, ours] = [teacher.vocabularySize, student.vocabularySize];
  if (theirs !== ours) {
    throw new UsageError(
      `the teacher has a vocabulary of ${theirs} tokens, the model one of ${ours}: their predictions cannot be compared`,
      { hint: "take the model itself as the teacher, before it was quantized" },
    );
  }
  if (teacher.blocks.length === student.blocks.length) return;
  throw new UsageError(
    `the teacher has ${teacher.blocks.length} blocks, the model ${student.blocks.length}: their hidden states cannot be compared`,
    { hint: "take the model itself as the teacher, before it was quantized" },
  );
}
