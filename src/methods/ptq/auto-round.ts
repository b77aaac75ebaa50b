import { z } from "zod";
import { rangeRule, ShiftedWeight } from "../../quant/shifted-weight.ts";
import { defineMethod, type QuantizedBlock, type WholeBlockProblem } from "../define-method.ts";
import { moveToStart } from "../shared/latent-from-start.ts";
import { blockTrainingOptions } from "../shared/block-training-options.ts";
import { cautionAboveFourBits } from "../shared/few-bits.ts";
import { count, flag, nonNegative, positiveIfGiven } from "../shared/option-kinds.ts";
import { trainBlock } from "../shared/train-block.ts";
import { type LatentStart, packUntrained, type SlotToTrain } from "../shared/trained-slots.ts";

const options = z.object({
  iters: count(100, "steps of training a block; 0: the scale search alone", 0),
  batch: count(1, "windows a micro-batch"),
  accumulation: count(1, "micro-batches a step"),
  learningRate: positiveIfGiven(
    "first step of the roundings, in steps of the grid; falls to 0 (unless given: 1/iters)",
  ),
  rangeLearningRate: positiveIfGiven(
    "first step of the shares of ranges that are kept (unless given: as the roundings)",
  ),
  momentum: nonNegative(0, "factor on the sum of earlier gradients, whose sign decides; below 1"),
  scaleSearch: flag(false, "begin with the ranges of the scale search, not with whole ones"),
  ...blockTrainingOptions,
});

type Options = z.output<typeof options>;

/** How many steps inside of a bin a weight comes to stand that another quantizer has in it. */
const margin = 0.1;
/** Shares of the steps after which a block is judged, so that what did best can be kept. */
const judgements = 5;

/**
 * AutoRound, of which the algorithm is SignRound (arXiv 2309.05516): block by block, the rounding of
 * every weight is shifted by a learned part of a step, and of the range of each group a learned share
 * is kept, so that the quantized block, on activations of the quantized blocks before it, gives what
 * the original block gives on activations of the original ones. Each step moves all of them by the
 * same amount, by the signs of their gradients.
 *
 * Deviations from the authors' package (auto-round 0.16): errors of tokens are relative to what the
 * original block puts out there; what is kept is judged on the same windows each time, not by the
 * loss of the batch that a step happened to see. Scales are float16 in both.
 */
export default defineMethod({
  id: "auto-round",
  title: "AutoRound",
  summary: "trains how each weight is rounded, and ranges, a block at a time",
  role: "quantizer",
  paper: { arxiv: "2309.05516" },
  needs: { statistics: ["energies"], floatInputs: true },
  statistics: (chosen) => (searchesScales(chosen) ? ["energies"] : []),
  compensates: true,
  usesImportance: true,
  takesStart: true,
  supports: ({ grid, activation, blocks, packing }) =>
    activation === null && blocks === null && packing !== null && rangeRule(grid) !== null,
  caution: cautionAboveFourBits("AutoRound"),
  options,
  epochs: ({ iters, batch, accumulation }, { windows }) =>
    (iters * accumulation * Math.min(batch, windows)) / windows,
  batch: ({ batch }) => batch,
  quantizeBlock,
});

function searchesScales({ iters, scaleSearch }: Options): boolean {
  return scaleSearch || iters === 0;
}

async function quantizeBlock(problem: WholeBlockProblem<Options>): Promise<QuantizedBlock> {
  const { iters, learningRate = 1 / iters, momentum, ...chosen } = problem.options;
  const search = searchesScales(problem.options);
  const latentOf = (slot: SlotToTrain): Promise<LatentStart> => latentStart(slot, search);
  if (iters === 0) return { weights: await packUntrained(problem, latentOf), figures: {} };
  return trainBlock(problem, {
    ...chosen,
    latentOf,
    clip: 0,
    patience: 0,
    judgeEvery: Math.ceil(iters / judgements),
    steps: () => iters,
    schedule: { kind: "linear" },
    optimizer: () => ({
      kind: "sign-descent",
      momentum,
      groups: {
        weights: { learningRate },
        scales: { learningRate: chosen.rangeLearningRate ?? learningRate, within: [0, 1] },
      },
    }),
  });
}

/** A weight that begins with what another quantizer chose, or with its own ranges. */
async function latentStart(
  { weight, scheme, importance, start }: SlotToTrain,
  search: boolean,
): Promise<LatentStart> {
  if (!start) return { weight: await ShiftedWeight.of(weight, scheme, { search, importance }) };
  await moveToStart(weight, start, margin);
  return { weight: ShiftedWeight.startedBy(weight, start), packed: start };
}
