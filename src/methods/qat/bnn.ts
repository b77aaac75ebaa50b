import { z } from "zod";
import { isBinary } from "../../quant/activation-grid.ts";
import { defineMethod } from "../define-method.ts";
import { choice } from "../shared/option-kinds.ts";
import { shortTraining } from "../shared/text-budget.ts";
import { binaryOptions, storesSigns, trainBinaryWeights } from "../shared/train-binary-weights.ts";
import { type TrainingDefaults, trainingEffort } from "../shared/training-options.ts";

const defaults: TrainingDefaults = { steps: 400 };

/**
 * Binarized neural networks (BNN, arXiv 1602.02830) for language models: weights are signs, and under
 * a scheme that ends in `a1-sign` inputs are, too, without a scale of the token. In the paper a batch
 * norm behind each layer scales its outputs. These models have none, so each row of the weight has a
 * learned gain in its place; `rowScales: one` leaves it out.
 *
 * Deviations: sign(0) = +1; deterministic signs only; AdamW with one learning rate in place of Adam
 * with rates by the size of the layer; no shift behind layers without biases.
 */
export default defineMethod({
  id: "bnn",
  title: "BNN",
  summary: "trains all weights and the inputs of layers as signs",
  role: "quantizer",
  paper: { arxiv: "1602.02830" },
  needs: { statistics: [] },
  supports: (scheme) =>
    storesSigns(scheme) && !(isBinary(scheme.activation) && scheme.activation?.mode === "token"),
  options: z.object({
    ...binaryOptions(defaults, { gradient: "straight-through", centres: false }),
    rowScales: choice(["learned", "one"], "learned", "gain of each row: learned, or 1"),
  }),
  effort: (chosen, data) => trainingEffort(chosen, data, defaults),
  budget: (chosen, budget) =>
    shortTraining("BNN", trainingEffort(chosen, budget.data, defaults), budget),
  trainModel: (problem) =>
    trainBinaryWeights(problem, { defaults, rowScales: problem.options.rowScales }),
});
