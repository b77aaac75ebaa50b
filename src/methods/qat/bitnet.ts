import { z } from "zod";
import { isByToken } from "../../quant/activation-grid.ts";
import { defineMethod } from "../define-method.ts";
import { shortTraining } from "../shared/text-budget.ts";
import { trainLatentWeights } from "../shared/train-latent-weights.ts";
import {
  rateForWidth,
  type TrainingDefaults,
  trainingEffort,
  trainingOptions,
} from "../shared/training-options.ts";

const defaults: TrainingDefaults = { steps: 400 };

/**
 * The quantization of BitNet b1.58 (arXiv 2402.17764) as a way to fine-tune a model that is there:
 * weights are seen as {−1, 0, +1} times mean|w| of their row or group as it is in every step, and
 * gradients pass as if they were not rounded. With a scheme that ends in `a8`, inputs of linears
 * are rounded to 8 bits a token, as in the paper.
 *
 * Deviations: one scale a row or group instead of one a matrix; the model keeps its own
 * architecture (BitNet's adds norms and another activation function), and it starts from trained
 * weights.
 */
export default defineMethod({
  id: "bitnet",
  title: "BitNet",
  summary: "trains all weights as -1, 0 or 1 times their mean magnitude",
  role: "quantizer",
  paper: { arxiv: "2402.17764" },
  needs: { statistics: [] },
  supports: ({ grid, activation }) => grid.training?.scale === "followed" && isByToken(activation),
  options: z.object(trainingOptions(defaults)),
  effort: (chosen, data) => trainingEffort(chosen, data, defaults),
  budget: (chosen, budget) =>
    shortTraining("BitNet", trainingEffort(chosen, budget.data, defaults), budget),
  trainModel: (problem) =>
    trainLatentWeights(problem, {
      defaults,
      // As ParetoQ's, so that the two can be compared.
      rateOf: (_, width) => rateForWidth(2e-5, width),
    }),
});
