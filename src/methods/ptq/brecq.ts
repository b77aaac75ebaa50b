import { z } from "zod";
import { isByToken } from "../../quant/activation-grid.ts";
import { hasEvenLevels, hasIndependentGroups } from "../../quant/scheme.ts";
import { defineMethod, type QuantizedBlock, type WholeBlockProblem } from "../define-method.ts";
import { blockTrainingOptions, weighedLossKinds } from "../shared/block-training-options.ts";
import { cautionAboveFourBits } from "../shared/few-bits.ts";
import { choice, count, nonNegative } from "../shared/option-kinds.ts";
import {
  judgeEvery,
  penalize,
  roundedStart,
  roundingGuard,
  roundingOptimizer,
  roundingOptions,
} from "../shared/rounding-training.ts";
import { scaleSearch, scaleSearchOptions } from "../shared/scale-search.ts";
import { trainBlock } from "../shared/train-block.ts";

const options = z.object({
  iters: count(300, "steps of training a block"),
  batch: count(1, "windows a micro-batch"),
  accumulation: count(1, "micro-batches a step"),
  activationLearningRate: nonNegative(
    1e-3,
    "learning rate of the scales of inputs, as a share of these; for schemes that fix them",
  ),
  ...roundingOptions,
  ...blockTrainingOptions,
  loss: choice(
    weighedLossKinds,
    "relative",
    "what errors are measured by: a token's output in the original, plainly, or each output by " +
      "gradients of the whole model's divergence (as released; runs all later blocks)",
  ),
  ...scaleSearchOptions(true),
});

type Options = z.output<typeof options>;

/**
 * BRECQ (arXiv 2102.05426; yhhhli/BRECQ, quant/block_recon.py): block by block, which way each
 * weight is rounded is trained, by the rounding variables of AdaRound (arXiv 2004.10568), so that the
 * quantized block, on activations of the quantized blocks before it, gives what the original block
 * gives on activations of the original ones. Scales and zero points stay as the search found them;
 * fixed scales of inputs are learned by LSQ (arXiv 1902.08153) in the same steps.
 *
 * Deviations from the authors' code: fewer, larger steps; what is kept is the best of six states,
 * judged with every weight rounded; errors of a token are relative to its outputs unless told
 * otherwise; scales are rounded to float16.
 */
export default defineMethod({
  id: "brecq",
  title: "BRECQ",
  summary: "trains which way each weight is rounded, a block at a time",
  role: "quantizer",
  paper: { arxiv: "2102.05426" },
  needs: { statistics: [], floatInputs: true },
  compensates: true,
  takesStart: true,
  // Variables with gradient, moments and the best so far; steps, codes, and weights as multiplied.
  trainingBytes: 29,
  supports: (scheme) =>
    (isByToken(scheme.activation) || scheme.activation?.mode === "static") &&
    hasIndependentGroups(scheme) &&
    hasEvenLevels(scheme),
  caution: cautionAboveFourBits("BRECQ"),
  options,
  epochs: ({ iters, batch, accumulation }, { windows }) =>
    (iters * accumulation * Math.min(batch, windows)) / windows,
  batch: ({ batch }) => batch,
  usesOutputGradients: ({ loss }) => loss === "fisher",
  quantizeBlock,
});

function quantizeBlock(problem: WholeBlockProblem<Options>): Promise<QuantizedBlock> {
  const { options: chosen, model } = problem;
  const { iters } = chosen;
  // The authors sum errors over the outputs of a token, where losses of blocks are means.
  const scale = 1 / model.hiddenSize;
  return trainBlock(problem, {
    ...chosen,
    latentOf: (slot) => roundedStart(slot, scaleSearch(chosen)),
    clip: 0,
    patience: 0,
    judgeEvery: judgeEvery(iters),
    steps: () => iters,
    schedule: { kind: "constant" },
    guard: roundingGuard,
    addGradients: (parameters, gradients, step, steps) =>
      penalize(chosen, parameters, gradients, { step, steps, scale }),
    optimizer: (_, steps) => {
      const { groups, ...how } = roundingOptimizer(chosen, steps);
      const activations = { learningRate: chosen.activationLearningRate };
      return { ...how, groups: { ...groups, activations } };
    },
  });
}
