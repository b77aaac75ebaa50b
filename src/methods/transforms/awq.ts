import { z } from "zod";
import { isBinary } from "../../quant/activation-grid.ts";
import type { ScaleGroup } from "../../nn/quantizable-model.ts";
import {
  channelCount,
  floatLinear,
  inputSlot,
  readWeights,
  replaceWeight,
  scaleChannels,
} from "../../nn/scale-channels.ts";
import { hasIndependentGroups, type Scheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { NumericError, throwIfCancelled, UnsupportedError } from "../../util/errors.ts";
import { meanOf } from "../../util/sums.ts";
import { type BlockProblem, defineMethod, type TransformedPart } from "../define-method.ts";
import { activationFactors, relativeWeights } from "../shared/activation-factors.ts";
import { meanByChannel } from "../shared/channel-statistics.ts";
import { clampGroups, searchClipping } from "../shared/clip-search.ts";
import { groupLoss, momentsOf } from "../shared/group-loss.ts";
import { tokenLossOption } from "../shared/block-training-options.ts";
import { count, countIfGiven, flag, flagIfGiven } from "../shared/option-kinds.ts";
import type { WeighedInputs } from "../shared/part-loss.ts";
import { scaledQuantizer } from "../shared/scaled-quantizer.ts";

const leastClip = 0.5;
/** Steps without a gain after which the search ends, where each takes a run of the quantizer. */
const patience = 4;
/** Tokens on which outputs of parts are compared, where rounding and where the quantizer is tried. */
const mostSearchTokens = 8192;
const fewerSearchTokens = 4096;
/** Calibration tokens for each column that the quantizer is tried with. */
const tokensPerColumn = 10;
/** Share of the error that scaling must take off there: less does not hold on other text. */
const leastGain = 0.05;

const options = z.object({
  gridPoints: count(20, "how many ratios are tried, and into how many steps clipping is cut"),
  clip: flagIfGiven(
    "search each group's clipping range too (unless given: before methods that only round)",
  ),
  duoScaling: flag(false, "let the sizes of weights decide too, as AutoAWQ does"),
  searchTokens: countIfGiven(
    "tokens on which outputs of attention and MLP are compared (unless given: 4096 where the quantizer behind is tried, else 8192)",
    1,
  ),
  loss: tokenLossOption,
});

type Options = z.output<typeof options>;

/**
 * AWQ (arXiv 2306.00978): input channels with large activations are multiplied by a factor before
 * they are quantized, and divided by it in the layer before, so that rounding hurts them less. The
 * factors are `t = a^r`, with a the mean |x| of a channel and the ratio r found by trying
 * (equations 4 and 5); then each group's clipping range is found by trying.
 *
 * Deviations from the authors' code: inputs come from the quantized blocks before; statistics of
 * linear scopes are second moments over all tokens instead of 512 sampled ones; grouped queries are
 * scaled too, with a factor for each value channel; scales are rounded to float16 before codes are
 * chosen; under schemes of blocks nothing is clipped, as their search finds the range of each group.
 */
export default defineMethod({
  id: "awq",
  title: "AWQ",
  summary: "scales channels by their activations, and clips",
  role: "transform",
  paper: { arxiv: "2306.00978" },
  needs: { statistics: ["hessian", "magnitudes"] },
  // Signs stay when channels are scaled: what the layer computes would not.
  supports: (scheme) =>
    !isBinary(scheme.activation) && (scheme.blocks !== null || hasIndependentGroups(scheme)),
  caution: ({ grid, id }, { layerProducts } = {}) => {
    if (grid.bits < 3) return `AWQ is made for 3 and 4 bits; at ${id} it often does harm`;
    return layerProducts === undefined
      ? null
      : "AWQ judges its ratios by rounding to nearest, which is not what trained roundings of a " +
          "layer make of them";
  },
  options,
  weighsTokens: ({ loss }) => loss === "relative",
  trials: ({ gridPoints, searchTokens }, triesQuantizer) =>
    triesQuantizer
      ? { passes: gridPoints / 3, tokens: tokensCompared(searchTokens, true), tokensPerColumn }
      : { passes: gridPoints, tokens: tokensCompared(searchTokens, false) },
  transformBlock,
});

/** Factors of a layer's input channels, by its name. */
type ColumnFactors = ReadonlyMap<string, Float32Array>;

async function transformBlock(problem: BlockProblem<Options>): Promise<TransformedPart[]> {
  const { parts, factors } = await scaleGroups(problem);
  // What makes up for its rounding would reproduce clamped weights instead of the model's.
  const { clip = !problem.compensated } = problem.options;
  return clip ? [...parts, ...(await clipSlots(problem, factors))] : parts;
}

async function scaleGroups(
  problem: BlockProblem<Options>,
): Promise<{ parts: TransformedPart[]; factors: ColumnFactors }> {
  const parts: TransformedPart[] = [];
  const columnFactors = new Map<string, Float32Array>();
  for (const group of problem.groups) {
    problem.report(`scales of ${group.producer}`);
    const { part, factors } = await scaleGroup(problem, group);
    parts.push(part);
    const { channelOf } = group;
    const byColumn = channelOf ? Float32Array.from(channelOf, (c) => factors[c]) : factors;
    for (const name of group.consumers) columnFactors.set(name, byColumn);
  }
  return { parts, factors: columnFactors };
}

async function clipSlots(
  problem: BlockProblem<Options>,
  factors: ColumnFactors,
): Promise<TransformedPart[]> {
  const parts: TransformedPart[] = [];
  const { slots, scoreSlots } = problem.block;
  for (const { name } of slots) {
    const scheme = problem.schemeOf(name);
    if (!scheme) continue;
    if (scheme.blocks) {
      if (problem.options.clip) throw clippedBlocks(scheme.id);
      continue;
    }
    // The product of queries and keys is too sensitive to what clipping takes away.
    if (scoreSlots.includes(name)) continue;
    if (!problem.statisticsOf(name)) continue;
    throwIfCancelled(problem.signal);
    problem.report(`clipping of ${name}`);
    parts.push(await clipSlot(problem, name, scheme, factors.get(name)));
  }
  return parts;
}

function clippedBlocks(id: string): UnsupportedError {
  return new UnsupportedError(`AWQ does not clip weights for ${id}: its blocks find their range`, {
    hint: "leave out `clip`",
  });
}

/** Finds the ratio of one group and moves its factors into the producer. */
async function scaleGroup(
  problem: BlockProblem<Options>,
  group: ScaleGroup,
): Promise<{ part: TransformedPart; factors: Float32Array }> {
  const { block, options: chosen, tryQuantizer } = problem;
  const factorsOf = await factorRule(problem, group);
  const quantizeScaled = await scaledQuantizer(problem, group);
  const tokens = tokensCompared(chosen.searchTokens, tryQuantizer !== null);
  const judge = await groupLoss(problem, group, firstTokens(problem, tokens));
  const { plain, best } = await searchRatio(problem, async (ratio) =>
    judge.measure(await quantizeScaled(factorsOf(ratio))),
  );
  judge.release();
  const ratio = best.point / chosen.gridPoints;
  const factors = factorsOf(ratio);
  await scaleChannels(block, group, factors);
  const figures = {
    ratio,
    errorUnscaled: relative(plain, judge.energy),
    error: relative(best.loss, judge.energy),
  };
  return { part: { name: group.producer, figures }, factors };
}

function tokensCompared(asked: number | undefined, triesQuantizer: boolean): number {
  return asked ?? (triesQuantizer ? fewerSearchTokens : mostSearchTokens);
}

/** A ratio, in steps of the grid, and what its error was. */
interface Trial {
  readonly point: number;
  readonly loss: number;
}

/**
 * Tries ratios. Where each takes a run of the quantizer, every second one until there is no gain,
 * then the neighbours of the best.
 */
async function searchRatio(
  { options: { gridPoints }, tryQuantizer, signal }: BlockProblem<Options>,
  measure: (ratio: number) => Promise<number>,
): Promise<{ plain: number; best: Trial }> {
  const attempt = async (point: number): Promise<Trial> => {
    throwIfCancelled(signal);
    return { point, loss: await measure(point / gridPoints) };
  };
  const plain = await attempt(0);
  let best = plain;
  const compare = (trial: Trial): void => {
    const hasToGain = tryQuantizer !== null && best.point === 0;
    if (trial.loss < (hasToGain ? 1 - leastGain : 1) * best.loss) best = trial;
  };
  const step = tryQuantizer ? 2 : 1;
  for (let point = step; point < gridPoints; point += step) {
    compare(await attempt(point));
    if (tryQuantizer && point - best.point >= patience) break;
  }
  if (tryQuantizer) {
    const { point } = best;
    for (const next of [point - 1, point + 1]) {
      if (next > 0 && next < gridPoints) compare(await attempt(next));
    }
  }
  return { plain: plain.loss, best };
}

/** Returns how the factors of a group follow from a ratio. */
async function factorRule(
  { block, statisticsOf, schemeOf, options: chosen }: BlockProblem<Options>,
  group: ScaleGroup,
): Promise<(ratio: number) => Float32Array> {
  const [first] = group.consumers;
  const means = await statisticsOf(inputSlot(group))?.magnitudes?.means();
  if (!means) throw new NumericError(`${block.name}.${first}: no magnitudes were gathered`);
  const channels = channelCount(block, group);
  const activations = meanByChannel(means, channels, group.channelOf);
  if (!chosen.duoScaling) return (ratio) => activationFactors(activations, ratio);
  const matrices = [...(await readWeights(block, group.consumers)).values()];
  const sizes = relativeWeights(matrices, means.length, schemeOf(first)?.groupSize ?? null);
  const weights = meanByChannel(sizes, channels, group.channelOf);
  return (ratio) => activationFactors(activations, ratio, weights);
}

/** Clamps the groups of one weight to the ranges that a search finds. */
async function clipSlot(
  problem: BlockProblem<Options>,
  name: string,
  scheme: Scheme,
  columnFactors: Float32Array | undefined,
): Promise<TransformedPart> {
  const { block, options: chosen } = problem;
  const { weight, outFeatures, inFeatures } = floatLinear(block, name);
  const values = await weight.read();
  const moments = await momentsOf(problem, name);
  if (columnFactors) divideMoments(moments, columnFactors);
  const steps = Math.max(1, Math.floor(leastClip * chosen.gridPoints));
  const tried = Array.from({ length: steps }, (_, i) => 1 - i / chosen.gridPoints);
  const { backend } = weight;
  const found = await searchClipping(
    { weight: values, outFeatures, inFeatures, scheme, moments, backend },
    tried,
  );
  clampGroups(values, inFeatures, scheme.groupSize, found.ratios);
  replaceWeight(block, name, Tensor.from(backend, "f32", weight.shape, values));
  const { ratios, loss, lossBefore } = found;
  return { name, figures: { range: meanOf(ratios), errorLeft: relative(loss, lossBefore) } };
}

/** `H ← D⁻¹·H·D⁻¹`: the second moments of inputs that were divided by `factors`. */
function divideMoments(moments: Float32Array, factors: Float32Array): void {
  const width = factors.length;
  for (let i = 0, at = 0; i < width; i++) {
    for (let j = 0; j < width; j++, at++) moments[at] /= factors[i] * factors[j];
  }
}

/** The first windows that hold at least so many tokens, or all, and the factors of their tokens. */
function firstTokens(
  { inputs, tokenFactors }: Pick<BlockProblem<Options>, "inputs" | "tokenFactors">,
  tokens: number,
): WeighedInputs {
  const chosen: Tensor<"f32">[] = [];
  const factors: Tensor<"f32">[] = [];
  let left = tokens;
  for (const [index, batch] of inputs.entries()) {
    const [windows = 0, length = 1] = batch.shape;
    const taken = Math.min(windows, Math.ceil(left / length));
    if (taken <= 0) break;
    chosen.push(batch.slice(0, taken));
    if (tokenFactors) factors.push(tokenFactors[index].slice(0, taken * length));
    left -= taken * length;
  }
  return { inputs: chosen, tokenFactors: tokenFactors && factors };
}

function relative(loss: number, energy: number): number {
  return energy === 0 ? 0 : loss / energy;
}
