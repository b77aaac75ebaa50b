import { z } from "zod";
import { FakeQuantized } from "../../quant/fake-quantized.ts";
import { FakeQuantizedBlocks } from "../../quant/fake-quantized-blocks.ts";
import type { LatentWeight } from "../../quant/latent-weight.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { defineMethod, type QuantizedBlock, type WholeBlockProblem } from "../define-method.ts";
import { chooseBlocks } from "../shared/block-search.ts";
import { choice, count, nonNegative, positiveIfGiven, share } from "../shared/option-kinds.ts";
import { mostForGrid, rateForGrid, rateForWidth } from "../shared/training-options.ts";
import { trainBlock } from "../shared/train-block.ts";
import type { LatentStart, SlotToTrain } from "../shared/trained-slots.ts";

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
  const { epochs, batch, finalRatio } = chosen;
  return trainBlock(problem, {
    ...chosen,
    loss: "squared",
    latentOf,
    steps: (windows) => Math.max(1, Math.ceil((epochs * windows) / batch)),
    schedule: { kind: "cosine", finalRatio },
    optimizer: async (weights) => {
      const step = await meanStep(weights);
      const ofScales = Math.min(
        rateForWidth(scaleRate, hiddenSize),
        scaleRatio * mostForGrid(bits, step),
      );
      return {
        groups: {
          weights: { learningRate: chosen.learningRate ?? rateForGrid(bits, hiddenSize, step) },
          scales: { learningRate: chosen.scaleLearningRate ?? ofScales },
        },
      };
    },
  });
}

/** A float weight seen as values of its scheme, with the scales that rounding would give it. */
async function latentOf({ weight, scheme, importance }: SlotToTrain): Promise<LatentStart> {
  if (!scheme.blocks) return { weight: await FakeQuantized.of(weight, scheme) };
  const packed = await chooseBlocks(weight, scheme, importance);
  return { weight: FakeQuantizedBlocks.of(weight, scheme, packed.unpackBlockScales()), packed };
}

/** Mean distance of neighbouring values of the grids, over all groups of a block. */
async function meanStep(weights: readonly LatentWeight[]): Promise<number> {
  let sum = 0;
  let groups = 0;
  for (const { groupScales, scheme } of weights) {
    const scales = (await groupScales?.read()) ?? new Float32Array();
    sum += scheme.grid.step * scales.reduce((total, scale) => total + Math.abs(scale), 0);
    groups += scales.length;
  }
  return groups === 0 ? 0 : sum / groups;
}
