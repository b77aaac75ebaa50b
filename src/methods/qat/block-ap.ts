import { z } from "zod";
import { FakeQuantized } from "../../quant/fake-quantized.ts";
import { FakeQuantizedBlocks } from "../../quant/fake-quantized-blocks.ts";
import type { LatentWeight } from "../../quant/latent-weight.ts";
import { hasIndependentGroups, type Scheme } from "../../quant/scheme.ts";
import {
  type Budget,
  defineMethod,
  type QuantizedBlock,
  type WholeBlockProblem,
} from "../define-method.ts";
import { chooseBlocks } from "../shared/block-search.ts";
import { blockTrainingOptions } from "../shared/block-training-options.ts";
import { cautionAboveFourBits } from "../shared/few-bits.ts";
import { type Reach, rateOnGrids, type ScaledWeight } from "../shared/grid-rates.ts";
import { count, nonNegative, positiveIfGiven, share } from "../shared/option-kinds.ts";
import { latentFromStart } from "../shared/latent-from-start.ts";
import { trainBlock } from "../shared/train-block.ts";
import type { LatentStart, SlotToTrain } from "../shared/trained-slots.ts";
import { usualHeldOut } from "../shared/window-pairs.ts";

const options = z.object({
  epochs: count(2, "passes over the calibration windows"),
  batch: count(2, "windows a step"),
  learningRate: positiveIfGiven(
    "largest learning rate of the weights (unless given: by the grid and the number of steps)",
  ),
  scaleLearningRate: positiveIfGiven("that of scales and zero points (unless given: likewise)"),
  finalRatio: share(0.05, "share of the learning rates that is left at the end"),
  clip: nonNegative(0, "largest norm of the gradients; 0: as they are"),
  patience: count(0, "epochs without a better validation after which a block is done; 0: never", 0),
  ...blockTrainingOptions,
});

type Options = z.output<typeof options>;

const weightReach: Reach = { inOneStep: 0.03, inAll: 16, byLevels: 1 };
/** With more levels a change of the scale moves the outer ones further, too. */
const scaleReach: Reach = { inOneStep: 0.01, inAll: 5, byLevels: 2 };
/** Steps with which training from plain rounding is sure to get a block past GPTQ. */
const fewSteps = 32;
/** A block that the usual rates make worse is trained again with this share of them. */
const rateShares = [1, 0.25];
/** How many steps inside of a bin a weight comes to stand that another quantizer has in it. */
const margin = 0.1;

/**
 * Block-AP, the first phase of EfficientQAT (arXiv 2407.11062, section 3.2; quantizer and defaults
 * as in OpenGVLab/EfficientQAT): block by block, all weights of the linears, their scales and their
 * zero points are trained so that the quantized block, on activations of the quantized blocks
 * before it, gives what the original block gives on activations of the original ones:
 * `min ‖Block(X) − Block_q(X_q)‖²`.
 *
 * Deviations from the authors' code: the training begins with what GPTQ chose; errors of a token are
 * relative to its outputs; learning rates follow from the grid and the number of steps; scales are
 * rounded to float16 in the forward pass already, so that the packed model is the trained one;
 * windows come in a seeded random order; norms are not trained; besides asymmetric integers any grid
 * with learned scales is allowed. Under schemes of blocks scales and offsets of groups count as the
 * multiples of those of their block that the format stores, in every step.
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
  takesStart: true,
  usualStart,
  supports: ({ grid, activation, blocks }) =>
    activation === null && (grid.training?.scale === "learned" || isTrained(blocks)),
  caution: cautionAboveFourBits("Block-AP"),
  options,
  epochs: (chosen) => chosen.epochs,
  batch: (chosen) => chosen.batch,
  budget,
  quantizeBlock,
});

/** Few steps are worth little from plain rounding, and without windows held out blocks may overfit. */
function budget(chosen: Options, { data: { windows }, start }: Budget): string | null {
  const held = chosen.validation ?? usualHeldOut(windows);
  const steps = stepsOf(chosen.epochs, windows - held, chosen.batch);
  if ((start ?? "rtn") === "rtn" && steps < fewSteps) {
    return (
      `Block-AP has ${steps} steps a block, from plain rounding: with fewer than ${fewSteps} GPTQ ` +
      "alone may be better; use `start` gptq, or more `samples` or `epochs`"
    );
  }
  if (held > 0) return null;
  return (
    `Block-AP judges a block by windows that it is trained on, as there are only ${windows}: use ` +
    "`samples` of 16 or more, or `validation`"
  );
}

/** GPTQ where it can, with its clipping search. */
function usualStart(scheme: Scheme): string | null {
  return scheme.blocks || hasIndependentGroups(scheme) ? "gptq" : null;
}

/** Whether a format has scales to learn between neighbouring values one step apart. */
function isTrained(blocks: Scheme["blocks"]): boolean {
  return blocks !== null && blocks.step === 1 && blocks.levels > 3;
}

function quantizeBlock(problem: WholeBlockProblem<Options>): Promise<QuantizedBlock> {
  const { options: chosen } = problem;
  const { epochs, batch, finalRatio, learningRate, scaleLearningRate } = chosen;
  return trainBlock(problem, {
    ...chosen,
    latentOf,
    steps: (windows) => stepsOf(epochs, windows, batch),
    schedule: { kind: "cosine", finalRatio },
    rateShares: (learningRate ?? scaleLearningRate) ? [1] : rateShares,
    optimizer: async (weights, steps, share) => {
      const grids = await scaled(weights);
      const ofWeights = rateOnGrids(weightReach, steps, grids);
      const ofScales = rateOnGrids(scaleReach, steps, grids);
      return {
        groups: {
          weights: { learningRate: share * (learningRate ?? ofWeights) },
          scales: { learningRate: share * (scaleLearningRate ?? ofScales) },
        },
      };
    },
  });
}

/** A weight that begins with what another quantizer chose, or with scales as rounding has them. */
async function latentOf({ weight, scheme, importance, start }: SlotToTrain): Promise<LatentStart> {
  if (start) return latentFromStart(weight, start, margin);
  if (!scheme.blocks) return { weight: await FakeQuantized.of(weight, scheme) };
  const packed = await chooseBlocks(weight, scheme, importance);
  return { weight: FakeQuantizedBlocks.of(weight, scheme, packed.unpackBlockScales()), packed };
}

function stepsOf(epochs: number, windows: number, batch: number): number {
  return Math.max(1, Math.ceil((epochs * windows) / batch));
}

/** The weights of a block as they are now. */
async function scaled(weights: readonly LatentWeight[]): Promise<ScaledWeight[]> {
  const scalesOf = async ({ groupScales }: LatentWeight): Promise<Float32Array> =>
    (await groupScales?.read()) ?? new Float32Array();
  return Promise.all(
    weights.map(async (weight) => ({ scheme: weight.scheme, scales: await scalesOf(weight) })),
  );
}
