import { z } from "zod";
import type { Scheme } from "../../quant/scheme.ts";
import { defineMethod, type QuantizedBlock, type WholeBlockProblem } from "../define-method.ts";
import { choice, count, nonNegative, positiveIfGiven, share } from "../shared/option-kinds.ts";
import { mostForGrid, rateForGrid, rateForWidth } from "../shared/training-options.ts";
import { trainBlock } from "../shared/train-block.ts";

const options = z.object({
  epochs: count(2, "passes over the calibration windows"),
  batch: count(2, "windows a step"),
  learningRate: positiveIfGiven(
    "largest learning rate of the weights (unless given: by bits and width)",
  ),
  scaleLearningRate: positiveIfGiven("that of scales and zero points (unless given: by width)"),
  finalRatio: share(0.05, "share of the learning rates that is left at the end"),
  clip: nonNegative(0, "largest norm of the gradients; 0: as they are"),
  validation: count(0, "windows held out of the training, to measure it by", 0),
  patience: count(0, "epochs without a better validation after which a block is done; 0: never", 0),
  precision: choice(
    ["auto", "f32", "bf16"],
    "auto",
    "what products multiply in; auto: bfloat16 where the processor is faster with it",
  ),
});

type Options = z.output<typeof options>;

/** The paper's learning rate of scales and zero points, for models 4096 wide. */
const scaleRate = 1e-4;
/** How much faster scales may move than weights, where the grid is fine. */
const scaleRatio = 6;

/**
 * Block-AP, the first phase of EfficientQAT (arXiv 2407.11062, section 3.2; quantizer and defaults
 * as in OpenGVLab/EfficientQAT): block by block, all weights of the linears, their scales and their
 * zero points are trained so that the quantized block, on activations of the quantized blocks
 * before it, gives what the original block gives on activations of the original ones:
 * `min ‖Block(X) − Block_q(X_q)‖²`.
 *
 * Deviations from the authors' code: scales are rounded to float16 in the forward pass already, so
 * that the packed model is the trained one; windows come in a seeded random order; norms are not
 * trained; learning rates grow as models get narrower; besides asymmetric integers any grid with
 * learned scales is allowed. Under schemes of blocks training begins with the blocks that their
 * search chooses; scales and offsets of groups count as the multiples of those of their block that
 * the format stores, in every step.
 */
export default defineMethod({
  id: "block-ap",
  title: "Block-AP",
  summary: "trains weights, scales and zero points, a block at a time",
  role: "quantizer",
  paper: { arxiv: "2407.11062" },
  needs: { statistics: [], floatInputs: true },
  compensates: true,
  usesImportance: true,
  supports: ({ grid, activation, blocks }) =>
    activation === null && (grid.training?.scale === "learned" || isTrained(blocks)),
  caution: ({ grid, id }) =>
    grid.bits > 4
      ? `Block-AP is made for 2 to 4 bits; at ${id} rounding alone is as good, and takes no time`
      : null,
  options,
  epochs: (chosen) => chosen.epochs,
  quantizeBlock,
});

/** Whether a format has scales to learn between neighbouring values one step apart. */
function isTrained(blocks: Scheme["blocks"]): boolean {
  return blocks !== null && blocks.step === 1 && blocks.levels > 3;
}

function quantizeBlock(problem: WholeBlockProblem<Options>): Promise<QuantizedBlock> {
  const { block, model, schemeOf, options: chosen } = problem;
  const bits = Math.max(...block.slots.map(({ name }) => schemeOf(name)?.grid.bits ?? 0));
  const { hiddenSize } = model;
  return trainBlock(problem, {
    ...chosen,
    learningRates: (step) => ({
      weights: chosen.learningRate ?? rateForGrid(bits, hiddenSize, step),
      scales:
        chosen.scaleLearningRate ??
        Math.min(rateForWidth(scaleRate, hiddenSize), scaleRatio * mostForGrid(bits, step)),
    }),
  });
}
