import { z } from "zod";
import { Linear } from "../../nn/linear.ts";
import { RescaledLinear } from "../../nn/rescaled-linear.ts";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import { groupScales } from "../../quant/blocks/group-scales.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { UnsupportedError, UsageError } from "../../util/errors.ts";
import { halvesToFloats } from "../../util/half.ts";
import {
  type Budget,
  defineMethod,
  type ModelProblem,
  type TrainedModel,
} from "../define-method.ts";
import { divergenceLoss } from "../shared/divergence-loss.ts";
import { expectTeacher } from "../shared/distillation.ts";
import { type Reach, rateOnGrids, type ScaledWeight } from "../shared/grid-rates.ts";
import { freezeAll } from "../shared/latent-weights.ts";
import { choice, countIfGiven } from "../shared/option-kinds.ts";
import { trainParameters } from "../shared/train-parameters.ts";
import {
  type TrainingDefaults,
  trainingEffort,
  trainingLength,
  trainingOptions,
} from "../shared/training-options.ts";

const defaults: TrainingDefaults = { epochs: 1, batch: 4, warmUp: 0.03, clip: 0.3 };
const options = z.object({
  ...trainingOptions(defaults),
  loss: choice(
    ["kl", "cross-entropy"],
    "kl",
    "what is made small: the KL divergence from the original, or the cross-entropy of the text",
  ),
  heldOut: countIfGiven(
    "windows put aside, by which the best state is kept (unless given: one in 16, at most 4)",
  ),
});

type Options = z.output<typeof options>;

/**
 * E2E-QP, the second phase of EfficientQAT (arXiv 2407.11062, section 3.3; defaults as in
 * OpenGVLab/EfficientQAT): only the scales of a quantized model are trained, all of them together,
 * towards the original's predictions or, as the authors do, on the cross-entropy of the next token.
 * Windows that are put aside say which state is kept. Codes and zero points stay: `∂L/∂s = Σ ∂L/∂ŵ·(q − z)`
 * over a group. Under schemes of blocks the scales and offsets of the blocks are trained, and what
 * groups have of these stays.
 *
 * Deviations from the authors' code: the original's predictions are learned by default; scales are
 * rounded to float16 in the forward pass already; the learning rate is one in steps of the grid.
 */
export default defineMethod({
  id: "e2e-qp",
  title: "E2E-QP",
  summary: "trains the scales of the quantized model end to end",
  role: "finisher",
  paper: { arxiv: "2407.11062" },
  needs: { statistics: [] },
  supports: ({ grid, activation }) =>
    activation === null && !grid.inputScales && !grid.codebook && !grid.normalizedOutputs,
  options,
  usesTeacher: follows,
  effort: (chosen, { windows, window }) =>
    trainingEffort(
      chosen,
      { windows: windows - heldOutOf(chosen, windows), window },
      defaults,
      false,
    ),
  budget,
  trainModel,
});

/** Without windows put aside a training may fit its text and nothing else. */
function budget(chosen: Options, { data: { windows } }: Budget): string | null {
  if (heldOutOf(chosen, windows) > 0) return null;
  return (
    `E2E-QP judges its states by windows that it is trained on, as there are only ${windows}: use ` +
    "`samples` of 16 or more, or `heldOut`"
  );
}

async function trainModel(problem: ModelProblem<Options>): Promise<TrainedModel> {
  const { model, teacher, options: chosen, windows } = problem;
  if (follows(chosen)) expectTeacher(teacher, model, "predictions");
  const layers = rescaleLayers(model, problem.schemeOf);
  if (layers.size === 0) throw new UnsupportedError("no linear layer is quantized");
  const heldOut = heldOutOf(chosen, windows.length);
  const length = trainingLength(chosen, { windows: windows.length - heldOut }, defaults);
  const learningRate =
    chosen.learningRate ?? rateOnGrids(reach, length.steps, [...layers.values()].map(scaled));
  const { recompute, windowsAtOnce } = chosen;
  const progress = await trainParameters(problem, {
    parameters: [...layers].flatMap(([module, { learned }]) =>
      learned.map(({ role, value }) => ({ name: `${module}.${role}`, value, group: "scales" })),
    ),
    optimizer: { groups: { scales: { learningRate, weightDecay: chosen.weightDecay } } },
    length,
    heldOut,
    ...(teacher && {
      loss: (batch, pass) =>
        divergenceLoss({ student: model, teacher, recompute, windowsAtOnce }, batch, pass),
    }),
  });
  return { linears: await freezeAll(layers), tensors: new Map(), progress };
}

/** Whether the predictions of another model are what it learns. */
function follows({ loss }: Options): boolean {
  return loss === "kl";
}

/** Windows that are put aside to judge by. @throws UsageError when none is left then */
function heldOutOf({ heldOut }: Options, windows: number): number {
  const count = heldOut ?? Math.min(4, Math.floor(windows / 16));
  if (count < windows) return count;
  throw new UsageError(
    `${count} of ${windows} windows are put aside, and none is left to train on`,
    { hint: "give more text, or a smaller `heldOut`", field: "options.heldOut", value: count },
  );
}

/** For scales alone, whose gradients come through the whole model. */
const reach: Reach = { inOneStep: 0.005, inAll: 0.3, byLevels: 1 };

/** A layer's grid, with the scales that its groups have at the start. */
function scaled({ weight }: RescaledLinear): ScaledWeight {
  const { scheme } = weight;
  const scales = scheme.blocks
    ? groupScales(scheme.blocks, weight.unpackBlockScales()).scales
    : halvesToFloats(weight.parts.scales);
  return { scheme, scales };
}

/** Puts layers with scales of their own in the place of the packed ones. */
function rescaleLayers(
  { linears, tensors }: TrainableModel,
  schemeOf: ModelProblem<Options>["schemeOf"],
): Map<string, RescaledLinear> {
  const layers = new Map<string, RescaledLinear>();
  // Norms are always there, and live where everything else does.
  const [{ backend }] = tensors.values();
  for (const { module, at } of linears) {
    if (!schemeOf(module)) continue;
    const { layer } = at;
    if (!(layer instanceof Linear && layer.weight instanceof QTensor)) {
      throw new UnsupportedError(`${module} has no packed weight whose scales can be trained`);
    }
    const rescaled = new RescaledLinear(backend, layer.weight, layer.bias);
    at.layer = rescaled;
    layers.set(module, rescaled);
  }
  return layers;
}
