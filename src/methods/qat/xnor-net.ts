import { z } from "zod";
import { defineMethod } from "../define-method.ts";
import { shortTraining } from "../shared/text-budget.ts";
import { binaryOptions, storesSigns, trainBinaryWeights } from "../shared/train-binary-weights.ts";
import { type TrainingDefaults, trainingEffort } from "../shared/training-options.ts";

const defaults: TrainingDefaults = { steps: 400 };

/**
 * XNOR-Net (arXiv 1603.05279; defaults as in allenai/XNOR-Net) for language models: weights are
 * `α·sign(W)`, α the mean magnitude of the row, and under a scheme that ends in `a1` inputs are
 * `K·sign(x)`, K the mean magnitude of the token. With float inputs (`w1`) it is Binary-Weight-Network.
 *
 * A linear layer is a convolution whose filters cover a whole token, so K is one number and no box
 * filter is needed. Deviations: sign(0) = +1; α is rounded to float16; the gradient of weights lacks
 * the code's constant factor for each layer; norms in front of linears are those of the model.
 */
export default defineMethod({
  id: "xnor-net",
  title: "XNOR-Net",
  summary: "trains all weights as signs times a mean, and inputs as signs, too",
  role: "quantizer",
  paper: { arxiv: "1603.05279" },
  needs: { statistics: [] },
  supports: (scheme) => storesSigns(scheme) && scheme.activation?.mode !== "sign",
  options: z.object(binaryOptions(defaults, { gradient: "xnor-net", centres: true })),
  effort: (chosen, data) => trainingEffort(chosen, data, defaults),
  budget: (chosen, budget) =>
    shortTraining("XNOR-Net", trainingEffort(chosen, budget.data, defaults), budget),
  trainModel: (problem) => trainBinaryWeights(problem, { defaults, rowScales: "mean" }),
});
