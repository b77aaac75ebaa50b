import { z } from "zod";
import { isByToken } from "../../quant/activation-grid.ts";
import type { GridTraining } from "../../quant/grid.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { defineMethod, type ModelProblem, type TrainedModel } from "../define-method.ts";
import { choice } from "../shared/option-kinds.ts";
import { shortTraining } from "../shared/text-budget.ts";
import { trainLatentWeights } from "../shared/train-latent-weights.ts";
import {
  paperRate,
  rateForWidth,
  type TrainingDefaults,
  trainingEffort,
  trainingOptions,
} from "../shared/training-options.ts";

const defaults: TrainingDefaults = { steps: 400 };

const options = z.object({
  ...trainingOptions(defaults),
  scaleStart: choice(
    ["paretoq", "lsq"],
    "paretoq",
    "how scales of -sym grids start: max|w|/Q as ParetoQ, or 2·mean|w|/√Q as LSQ",
  ),
});

type Options = z.output<typeof options>;

/**
 * ParetoQ (arXiv 2502.02631; defaults and quantizers as in facebookresearch/ParetoQ): all weights,
 * norms and tables are trained on next-token cross-entropy while the linears are seen as values of
 * the grid that suits their bits, with a learned scale a row (or a group): elastic binarization at
 * 1 bit, SEQ at 1.58 and 2, LSQ (arXiv 1902.08153) from 3 on.
 *
 * Deviations from the authors' code: scales are rounded to float16 in the forward pass already, and
 * sign(0) = +1, so that the packed model is the trained one; groups are allowed; the learning rate
 * grows as models get narrower.
 */
export default defineMethod({
  id: "paretoq",
  title: "ParetoQ",
  summary: "trains all weights and scales on the grid that suits the bits",
  role: "quantizer",
  paper: { arxiv: "2502.02631" },
  needs: { statistics: [] },
  supports: ({ grid, activation }) =>
    grid.training?.scale === "learned" && grid.zeroPoint === "none" && isByToken(activation),
  usualGrid: (bits) => (bits === 2 ? "seq" : null),
  options,
  effort: (chosen, data) => trainingEffort(chosen, data, defaults),
  budget: (chosen, budget) =>
    shortTraining("ParetoQ", trainingEffort(chosen, budget.data, defaults), budget),
  trainModel,
});

function trainModel(problem: ModelProblem<Options>): Promise<TrainedModel> {
  const { scaleStart } = problem.options;
  return trainLatentWeights(problem, {
    defaults,
    rateOf: (bits, width) => rateForWidth(paperRate(bits), width),
    trainingOf: scaleStart === "lsq" ? startedAsLsq : undefined,
  });
}

/** `2·mean|w|/√Q_p` for grids of integers (LSQ, section 2.1); others start as their grid says. */
function startedAsLsq({ grid: { training, step } }: Scheme): GridTraining | null {
  if (!training?.topLevel || step !== 1) return training;
  return { ...training, start: { of: "mean", factor: 2 / Math.sqrt(training.topLevel) } };
}
