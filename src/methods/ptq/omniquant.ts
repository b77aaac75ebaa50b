import { z } from "zod";
import { isByToken } from "../../quant/activation-grid.ts";
import { ClippedWeight } from "../../quant/clipped-weight.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { rangeRule } from "../../quant/shifted-weight.ts";
import { defineMethod, type QuantizedBlock, type WholeBlockProblem } from "../define-method.ts";
import { blockTrainingOptions } from "../shared/block-training-options.ts";
import { cautionAboveFourBits } from "../shared/few-bits.ts";
import { EquivalentScales } from "../shared/equivalent-scales.ts";
import {
  count,
  flag,
  flagIfGiven,
  positive,
  positiveIfGiven,
  share,
} from "../shared/option-kinds.ts";
import { trainBlock } from "../shared/train-block.ts";
import { type LatentStart, packUntrained, type SlotToTrain } from "../shared/trained-slots.ts";

const settings = z.object({
  epochs: count(20, "passes over the calibration windows (the authors take 40 at 2 bits)"),
  batch: count(1, "windows a step"),
  clipping: flag(true, "learn how much of each group's range is kept (LWC)"),
  learningRate: positiveIfGiven(
    "learning rate of the clipping (unless given: 0.01, up to 0.1 where there are fewer steps than " +
      "the authors' 2560)",
  ),
  transformation: flagIfGiven(
    "learn scales of channels too (LET; unless given: where activations are rounded, or without clipping)",
  ),
  transformationLearningRate: positive(0.005, "learning rate of these scales"),
  alpha: share(0.5, "share of the activations' spread that scales move to the weights at first"),
  shifts: flag(
    true,
    "learn shifts of channels as well, behind norms that have biases and are read by layers with them",
  ),
  augmented: flagIfGiven(
    "train towards what the original gives for inputs of the quantized block, too (unless given: at " +
      "2 bits)",
  ),
  ...blockTrainingOptions,
});

const options = settings.refine(
  ({ clipping, transformation }) => clipping || transformation !== false,
  {
    error: "expected `clipping` or `transformation`, as without both there is nothing to learn",
    path: ["clipping"],
  },
);

type Options = z.output<typeof options>;

/** Where the clipping begins: σ(4) = 0.982 of a range is kept. */
const firstBound = 4;
const fewBits = 2;
/** The authors' rate of the clipping, and their steps: 20 epochs of 128 windows. */
const usualRate = 0.01;
const usualSteps = 2560;
/** AdamW moves a bound by about the rate a step: σ is far from its start after some thirty of these. */
const mostRate = 0.1;

/**
 * OmniQuant (arXiv 2308.13137; the authors' code is OpenGVLab/OmniQuant): block by block, what is kept
 * of the range of each group (learnable weight clipping, equation 2), and factors that move between
 * layers what is hard to round (learnable equivalent transformation, equations 3 to 5), are trained
 * so that the quantized block, on activations of the quantized blocks before it, gives what the
 * original block gives on activations of the original ones. The weights themselves stay.
 *
 * Deviations from the authors' code: few steps are longer ones; errors of tokens are relative to what
 * the original block puts out there; windows come in a seeded random order; ranges hold zero; scales
 * are rounded to float16 in the forward pass already; queries and keys that are rotated together
 * share a factor, so that the transformation is exact; what goes up in an MLP is scaled against what
 * goes down; factors are positive; shifts are learned behind norms alone, where there are biases for
 * them; queries, keys and values behind the projections stay floats; a block that training makes
 * worse than rounding to nearest is rounded to nearest.
 */
export default defineMethod({
  id: "omniquant",
  title: "OmniQuant",
  summary: "trains clipping, and scales of channels, a block at a time",
  role: "quantizer",
  paper: { arxiv: "2308.13137" },
  needs: { statistics: ["magnitudes"], floatInputs: true },
  statistics: ({ transformation }) => (transformation === false ? [] : ["magnitudes"]),
  compensates: true,
  supports: ({ grid, activation, blocks, packing }) =>
    isByToken(activation) && blocks === null && packing !== null && rangeRule(grid) !== null,
  caution: (scheme) =>
    scheme.activation === null ? cautionAboveFourBits("OmniQuant")(scheme) : null,
  options,
  epochs: ({ epochs }) => epochs,
  batch: ({ batch }) => batch,
  scalesChannels: ({ clipping, transformation }, schemes) =>
    transformation ?? (!clipping || schemes.some(({ activation }) => activation !== null)),
  quantizeBlock,
});

async function quantizeBlock(problem: WholeBlockProblem<Options>): Promise<QuantizedBlock> {
  const { block, options: chosen, scalable, schemeOf } = problem;
  const scales = scalable && (await EquivalentScales.of(problem, scalable, chosen));
  const schemes = block.slots.flatMap(({ name }) => schemeOf(name) ?? []);
  try {
    const made = await train(problem, schemes, scales ?? null);
    if (!scales || made.fallback !== undefined) return made;
    const figures = { ...made.figures, ...(await scales.fold(block)) };
    return { ...made, figures, scaled: true };
  } finally {
    scales?.release();
  }
}

function train(
  problem: WholeBlockProblem<Options>,
  schemes: readonly Scheme[],
  scales: EquivalentScales | null,
): Promise<QuantizedBlock> {
  const { epochs, batch, clipping, learningRate, transformationLearningRate, ...chosen } =
    problem.options;
  if (!clipping && !scales?.parameters.length) return roundPlainly(problem);
  const latentOf = async ({ name, weight, scheme }: SlotToTrain): Promise<LatentStart> => {
    const scaled = scales?.scaled(name);
    const latent = new ClippedWeight(weight, scheme, {
      learned: clipping,
      ...(scaled && { scaled }),
    });
    if (!scales) return { weight: latent };
    return { weight: latent, layerOf: (bias) => scales.layerOf(name, latent, bias) };
  };
  return trainBlock(problem, {
    ...chosen,
    batch,
    clip: 0,
    patience: 0,
    augmented: chosen.augmented ?? schemes.some(({ grid }) => grid.bits <= fewBits),
    latentOf,
    ...(scales && { shared: scales.parameters }),
    begin: (weights) => {
      for (const weight of weights) if (weight instanceof ClippedWeight) weight.clip(firstBound);
      scales?.begin();
    },
    steps: (windows) => Math.ceil((epochs * windows) / batch),
    schedule: { kind: "constant" },
    optimizer: (_, steps) => ({
      groups: {
        scales: { learningRate: learningRate ?? rateOf(steps) },
        channels: { learningRate: transformationLearningRate },
      },
    }),
  });
}

/** What becomes of a block whose ranges stay whole and in which nothing can be scaled. */
async function roundPlainly(problem: WholeBlockProblem<Options>): Promise<QuantizedBlock> {
  const weights = await packUntrained(problem, async ({ weight, scheme }) => {
    return { weight: new ClippedWeight(weight, scheme) };
  });
  return {
    weights,
    figures: {},
    fallback: "nothing in it can be scaled: it is rounded to nearest",
  };
}

/** Rate with which bounds get as far in so many steps as in the authors', and no more than `mostRate`. */
function rateOf(steps: number): number {
  return Math.min(mostRate, usualRate * Math.max(1, usualSteps / steps));
}
