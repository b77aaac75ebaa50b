import { z } from "zod";
import { isByToken } from "../../quant/activation-grid.ts";
import { type GridTraining, roundWithin, type ScaleStart } from "../../quant/grid.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { defineMethod, type ModelProblem, type TrainedModel } from "../define-method.ts";
import { expectTeacher } from "../shared/distillation.ts";
import { divergenceLoss } from "../shared/divergence-loss.ts";
import { shortTraining } from "../shared/text-budget.ts";
import { trainLatentWeights } from "../shared/train-latent-weights.ts";
import {
  rateForWidth,
  type TrainingDefaults,
  trainingEffort,
  trainingOptions,
} from "../shared/training-options.ts";

const defaults: TrainingDefaults = { steps: 400, warmUp: 0.1 };

const options = z.object(trainingOptions(defaults));

type Options = z.output<typeof options>;

/**
 * LLM-QAT (arXiv 2305.17888; quantizers as in facebookresearch/LLM-QAT): all weights, norms and
 * tables are trained to give the original's predictions, on text that it wrote itself, while linears
 * are seen as they would be packed, with the scales that their weights have in that step: the
 * largest weight of a row is the outermost level (MinMax, nothing is clipped); at 2 bits the levels
 * are ±1/4 and ±3/4 of twice the mean magnitude, at 1 bit ± that itself. Inputs of linears and keys
 * and values are rounded token by token if scheme and recipe say so.
 *
 * Deviations from the authors' code: gradients pass everywhere (theirs stop where a weight or an
 * activation is 2 or more); scales are rounded to float16; keys are rounded behind the rotary
 * embedding, by token and head, as caches hold them; the divergence is a mean over tokens, where theirs is
 * a sum by sequences; the learning rate grows as models get narrower, and rises over the first steps.
 */
export default defineMethod({
  id: "llm-qat",
  title: "LLM-QAT",
  summary: "trains all weights to follow the original, on text that it wrote",
  role: "quantizer",
  paper: { arxiv: "2305.17888" },
  needs: { statistics: [] },
  writesText: true,
  usesTeacher: () => true,
  supports: (scheme) => minMaxTraining(scheme) !== null && isByToken(scheme.activation),
  options,
  effort: (chosen, data) => trainingEffort(chosen, data, defaults),
  budget: (chosen, budget) =>
    shortTraining("LLM-QAT", trainingEffort(chosen, budget.data, defaults), budget),
  trainModel,
});

function trainModel(problem: ModelProblem<Options>): Promise<TrainedModel> {
  const { model: student, teacher, options: chosen } = problem;
  expectTeacher(teacher, student, "predictions");
  const { recompute, windowsAtOnce } = chosen;
  return trainLatentWeights(problem, {
    defaults,
    rateOf,
    trainingOf: minMaxTraining,
    loss: (batch, pass) =>
      divergenceLoss({ student, teacher, recompute, windowsAtOnce }, batch, pass),
  });
}

/**
 * The paper's rate for 4 bits, larger for models narrower than 4096: in inverse proportion to the
 * width below 3 bits, to its root from 3 on, where weights are near what they are to become; then
 * also by the step of the grid, for with a larger one 8 bits end worse than they begin.
 */
function rateOf(bits: number, width: number): number {
  const rate = rateForWidth(2e-5, width);
  return bits < 3 ? rate : (rate / Math.sqrt(4096 / width)) * 2 ** (4 - bits);
}

/** The paper's way of rounding weights of a scheme; null where it has none. */
export function minMaxTraining({ grid, blocks }: Scheme): GridTraining | null {
  const { training, bits, step } = grid;
  if (blocks || !training || grid.zeroPoint !== "none" || grid.inputScales) return null;
  if (bits >= 3 && step === 1) {
    const top = 2 ** (bits - 1) - 1;
    return followed(training, { of: "peak", factor: 1 / top }, roundWithin(-top, top));
  }
  if (bits === 2 && step === 0.5) return followed(training, { of: "mean", factor: 2 });
  return bits === 1 && training.scale === "followed" ? training : null;
}

/** Scales that follow the weights, and gradients that pass as if nothing were rounded. */
function followed(
  training: GridTraining,
  start: ScaleStart,
  straightThrough = training.straightThrough,
): GridTraining {
  const passing = { ...straightThrough, passOutside: true };
  return { ...training, scale: "followed", start, straightThrough: passing };
}
