import type { Backend } from "../backend/backend.ts";
import type { ChosenMethod } from "../recipe/recipe.ts";
import { sum } from "../util/sums.ts";
import { outputGradientFlops } from "./estimate-output-gradients.ts";
import { weightGradientFlops } from "./estimate-sensitivities.ts";
import { measurePace } from "./pace.ts";
import {
  asksForGradients,
  asksForSensitivities,
  byBlock,
  distinctSquares,
  gathersHessians,
  quantizersOf,
  weightsOf,
  type WholeTraining,
  type WorkSize,
} from "./work-size.ts";

/** Rounding, packing, comparing, hashing and writing one weight, on an idle machine. */
const secondsPerWeight = 18e-9;
/** The same of embedding and head. */
const secondsPerTableWeight = 50e-9;
const diskBytesPerSecond = 1e9;
/** Opening a model and its journal, and tokenizing a text. */
const openingSeconds = 0.35;
const textSeconds = 0.5;
/** A weight that is rotated when it is read. */
const secondsPerRotated = 5e-8;
/** An operation of solving a layer, in float64 and column by column, over one of a product. */
const solvingCost = 5;
/** Operations that a token's second moments take, each over half a product's: one triangle, at less speed. */
const momentFlops = 1.5;
/** Forward passes that a trial of a transform takes: scales and clips, for each group of layers. */
const passesOfTrial = 2.5;
/** Share of the speed of a large product that quantizing block by block reaches. */
const blockwiseSpeed = 0.85;
/** That of training the whole model. */
const trainingSpeed = 0.75;

/**
 * Estimates the time in seconds, from a short measurement of how fast this machine multiplies
 * matrices now, other programs included. What a run does beside products slows down as they do.
 */
export async function estimateSeconds(backend: Backend, work: WorkSize): Promise<number> {
  const { flops, load } = await measurePace(backend);
  const disk = (work.sourceBytes + work.outputBytes) / diskBytesPerSecond;
  const text = work.tokens > 0 || work.training ? textSeconds : 0;
  const rotates = work.transforms.some(({ method }) => method.rotateModel);
  const rotating = rotates ? weightsOf(work.linears) * secondsPerRotated : 0;
  const plain = load * (openingSeconds + text + roundingSeconds(work) + rotating) + disk;
  if (work.training) {
    return plain + wholeTrainingFlops(work, work.training) / (trainingSpeed * flops);
  }
  const learning = work.learning ? learningFlops(work, work.learning) / (trainingSpeed * flops) : 0;
  return work.tokens === 0
    ? plain
    : plain + learning + calibratedFlops(work) / (blockwiseSpeed * flops);
}

function roundingSeconds(work: WorkSize): number {
  const costs = quantizersOf(work).map(
    ({ method, options }) => method.roundingCost?.(options) ?? 1,
  );
  const ofLinears = Math.max(...costs) * weightsOf(work.linears) * secondsPerWeight;
  return ofLinears + work.embeddingAndHeadWeights * secondsPerTableWeight;
}

/** Products over the calibration tokens: passes, trials, trained steps, statistics and solving. */
function calibratedFlops(work: WorkSize): number {
  const weights = weightsOf(work.linears);
  const { text } = work;
  const quantizers = text ? quantizersOf(work) : [];
  const epochs = sum(
    quantizers.map(({ method, options }) => (text && method.epochs?.(options, text)) ?? 0),
  );
  // A step forward and backward is three passes; the original block is run too.
  const training = work.tokens * (3 * epochs + (epochs > 0 ? 1 : 0));
  const toStart = work.start ? work.tokens : 0;
  const weighing = [...quantizers, ...work.transforms].some(({ method, options }) =>
    method.weighsTokens?.(options),
  );
  // Outputs of the original block are there where a method is trained towards them.
  const forward = work.tokens * (weighing && epochs === 0 ? 4 : 3);
  const gradients = text && asksForGradients(work) ? outputGradientFlops(work) : 0;
  const ofWeights = text && asksForSensitivities(work) ? weightGradientFlops(work) : 0;
  const { tokens: tried, quantizations } = trialsOf(work, quantizers);
  const passes = 2 * weights * (forward + toStart + tried + training) + gradients + ofWeights;
  if (!quantizers.some(gathersHessians)) return passes;
  return passes + layerFlops(work, quantizers, 1 + quantizations);
}

/** Second moments of the inputs, and what quantizing each layer `times` by them takes. */
function layerFlops(
  { linears, tokens }: WorkSize,
  quantizers: readonly ChosenMethod[],
  times: number,
): number {
  const statistics = momentFlops * tokens * sum(byBlock(linears).map(distinctSquares));
  const solving = sum(linears.map((l) => l.inFeatures ** 2 * (l.outFeatures + l.inFeatures)));
  const products = sum(
    quantizers.map(({ method, options }) => method.layerProducts?.(options) ?? 0),
  );
  const ofLayers = 2 * products * sum(linears.map((l) => l.inFeatures ** 2 * l.outFeatures));
  return statistics + ofLayers + solvingCost * solving * times;
}

/** What transforms try: tokens that go through a block, and how often a layer is quantized. */
function trialsOf(
  work: WorkSize,
  quantizers: readonly ChosenMethod[],
): { readonly tokens: number; readonly quantizations: number } {
  const triesQuantizer = quantizers.some(gathersHessians);
  const widest = Math.max(...work.linears.map(({ inFeatures }) => inFeatures));
  let [tokens, quantizations] = [0, 0];
  for (const { method, options } of work.transforms) {
    if (!method.transformBlock) continue;
    const trials = method.trials?.(options, triesQuantizer);
    const { passes = 0, tokensPerColumn = Number.POSITIVE_INFINITY } = trials ?? {};
    tokens += Math.min(work.tokens, tokensPerColumn * widest);
    tokens += passesOfTrial * passes * Math.min(trials?.tokens ?? 0, work.tokens);
    if (triesQuantizer) quantizations += passes;
  }
  return { tokens, quantizations };
}
/** Products of all steps: forward, twice backward, and once more where something is run again. */
function wholeTrainingFlops(
  { linears, hiddenSize, runs }: WorkSize,
  training: WholeTraining,
): number {
  const { steps, accumulation, microBatchTokens, vocabularySize } = training;
  const passes = 3 + (training.recompute ? 1 : 0) + (training.teacher ? 1 : 0);
  const perToken = 2 * passes * (runs * weightsOf(linears) + hiddenSize * vocabularySize);
  return steps * accumulation * microBatchTokens * perToken;
}

/** A training, and at each step every weight turned by a rotation, forward and backward. */
function learningFlops(work: WorkSize, learning: WholeTraining): number {
  const turning = 4 * learning.steps * weightsOf(work.linears) * work.hiddenSize;
  return wholeTrainingFlops(work, learning) + turning;
}
