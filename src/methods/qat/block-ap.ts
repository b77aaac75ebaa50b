import { z } from "zod";
import { defineMethod, type QuantizedBlock, type WholeBlockProblem } from "../define-method.ts";
import { trainBlock } from "../shared/train-block.ts";

const options = z.object({
  epochs: z.number().int().min(1).default(2).describe("passes over the calibration windows"),
  batch: z.number().int().min(1).default(2).describe("windows a step"),
  learningRate: z
    .number()
    .positive()
    .optional()
    .describe("largest learning rate of the weights (unless given: by bits and width)"),
  scaleLearningRate: z
    .number()
    .positive()
    .optional()
    .describe("that of scales and zero points (unless given: by width)"),
  finalRatio: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe("share of the learning rates that is left at the end"),
  clip: z.number().min(0).default(0).describe("largest norm of the gradients; 0: as they are"),
  validation: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("windows held out of the training, to measure it by"),
  patience: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("epochs without a better validation after which a block is done; 0: never"),
  precision: z
    .enum(["auto", "f32", "bf16"])
    .default("auto")
    .describe("what products multiply in; auto: bfloat16 where the processor is faster with it"),
});

type Options = z.output<typeof options>;

/** The paper's learning rates, for models 4096 wide; they grow as models get narrower. */
const paperWidth = 4096;
const paperRates = { scales: 1e-4, weights: (bits: number): number => (bits < 3 ? 2e-5 : 1e-5) };

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
 * learned scales is allowed.
 */
export default defineMethod({
  id: "block-ap",
  title: "Block-AP",
  summary: "trains weights, scales and zero points, a block at a time",
  role: "quantizer",
  paper: { arxiv: "2407.11062" },
  needs: { statistics: [], floatInputs: true },
  supports: ({ grid, activation }) => grid.training?.scale === "learned" && activation === null,
  options,
  epochs: (chosen) => chosen.epochs,
  quantizeBlock,
});

function quantizeBlock(problem: WholeBlockProblem<Options>): Promise<QuantizedBlock> {
  const { block, model, schemeOf, options: chosen } = problem;
  const bits = Math.max(...block.slots.map(({ name }) => schemeOf(name)?.grid.bits ?? 0));
  const wider = paperWidth / model.hiddenSize;
  return trainBlock(problem, {
    ...chosen,
    learningRates: {
      weights: chosen.learningRate ?? paperRates.weights(bits) * wider,
      scales: chosen.scaleLearningRate ?? paperRates.scales * wider,
    },
  });
}
