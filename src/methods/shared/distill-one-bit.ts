import { z } from "zod";
import { LatentOneBitLinear } from "../../nn/latent-one-bit-linear.ts";
import { Linear } from "../../nn/linear.ts";
import { OneBitLinear } from "../../nn/one-bit-linear.ts";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Parameter } from "../../training/parameter.ts";
import { UnsupportedError } from "../../util/errors.ts";
import type { ModelProblem, TrainedModel } from "../define-method.ts";
import { distill, distillationOptions, expectTeacher } from "./distillation.ts";
import { decompositionOptions, separateSigns, storesSignValues } from "./sign-values.ts";
import { trainParameters } from "./train-model.ts";
import { type TrainingDefaults, trainingLength, trainingOptions } from "./training-options.ts";

/** Defaults of OneBit's training. */
export const oneBitDefaults: TrainingDefaults = { steps: 1000, weightDecay: 0.01, warmUp: 0.05 };

/** Options of OneBit's training, from signs and value vectors on. */
export const oneBitOptions = {
  ...trainingOptions(oneBitDefaults),
  ...distillationOptions,
  latentMagnitude: z
    .number()
    .positive()
    .default(0.01)
    .describe("size of the float weights at the start: how far they are from a change of sign"),
  trainRest: z
    .boolean()
    .default(true)
    .describe("train norms, biases, embedding and output head too, as the authors do"),
};

const optionSchema = z.object({ ...oneBitOptions, ...decompositionOptions });

/** Options of OneBit's training, from float weights on. */
export type OneBitOptions = z.output<typeof optionSchema>;

/** The usual learning rate times the width of the model. */
const usualRate = 0.25;

/**
 * Trains a model whose linears are signs and value vectors to give the teacher's predictions and hidden states, and packs them.
 * Linears that are still floats are taken apart first. Adam with β = (0.9, 0.98).
 */
export async function distillOneBit(problem: ModelProblem<OneBitOptions>): Promise<TrainedModel> {
  const { model, teacher, options, windows } = problem;
  expectTeacher(teacher, model);
  const length = trainingLength(options, { windows: windows.length }, oneBitDefaults);
  const layers = await putLatentLayers(problem);
  const rest = options.trainRest ? restOf(model, layers) : new Map<string, Tensor<"f32">>();
  const learningRate = options.learningRate ?? usualRate / model.model.hiddenSize;
  const { weightDecay } = options;
  const parameters = parametersOf(layers, rest);
  const distillation = { ...options, student: model, teacher, parameters };
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
    loss: (batch, precision) => distill(distillation, batch, precision),
  });
  const linears = new Map<string, QTensor>();
  for (const [module, layer] of layers) linears.set(module, await layer.freeze());
  return { linears, tensors: rest, progress };
}

/** Puts latent weights in the slots of linears that have such a scheme; by their full names. */
async function putLatentLayers({
  model,
  schemeOf,
  options,
  report,
}: ModelProblem<OneBitOptions>): Promise<Map<string, LatentOneBitLinear>> {
  const layers = new Map<string, LatentOneBitLinear>();
  for (const { module, at } of model.linears) {
    const scheme = schemeOf(module);
    if (!scheme || !storesSignValues(scheme)) continue;
    let { layer } = at;
    if (layer instanceof Linear && layer.weight instanceof Tensor) {
      report(`signs and values of ${module}`);
      const weight = layer.weight as Tensor<"f32">;
      const separated = await separateSigns(weight, scheme, options);
      layer = new OneBitLinear(weight.backend, separated, layer.bias);
      weight.release();
    }
    if (!(layer instanceof OneBitLinear)) {
      throw new UnsupportedError(`${module} is already quantized to other values`, {
        hint: "start from the original checkpoint",
      });
    }
    const latent = new LatentOneBitLinear(layer, options.latentMagnitude);
    at.layer = latent;
    layers.set(module, latent);
  }
  return layers;
}

/** Float tensors besides the weights of the layers, by their names in the checkpoint. */
function restOf(
  model: TrainableModel,
  layers: ReadonlyMap<string, LatentOneBitLinear>,
): Map<string, Tensor<"f32">> {
  const latent = new Set([...layers.keys()].map((module) => `${module}.weight`));
  return new Map([...model.tensors].filter(([name]) => !latent.has(name)));
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
