import {
  estimateTrainingMemory,
  processBytes,
  trainedParameterBytes,
} from "../run/estimate-training.ts";
import type { PlannedLinear } from "../run/plan.ts";
import type { ChosenMethod } from "../recipe/recipe.ts";
import { sum } from "../util/sums.ts";
import { outputGradientBytes } from "./estimate-output-gradients.ts";
import { weightGradientBytes } from "./estimate-sensitivities.ts";
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

const passTokens = 2048;
/** Heap that windows of a text and the tokenizer's garbage take. */
const textBytes = 34e6;
/** Memory while a text is cut into tokens: of the tokenizer, an entry of the vocabulary and all else; of a byte of text. */
const bytesOfEntry = 1900;
const tokenizerBytes = 20e6;
const bytesOfTextByte = 6;
/** What ends are in memory at once where they are computed with: as they are read, and as they are used. */
const copiesOfEnds = 2;
/** Bytes of a mapped table that become resident when a row of it is looked up: pages around it, too. */
const rowPagesBytes = 65_536;
/** Pieces of embedding and head while these are quantized. */
const mostTableBytes = 20e6;
/** Bytes a weight that quantizing a matrix takes: as floats, before and after, and its codes. */
const matrixBytes = 18;
/** Buffers of matrices that are done with, before the garbage collector takes them: of a weight, and all. */
const lingeringBytesOfWeight = 3;
const mostLingeringBytes = 60e6;
/** Memory of a pass at its peak over that of its largest inputs and outputs. */
const passCopies = 2;

/** Memory of a block's second moments over their own bytes, as measured. */
const momentsOfBlock = 1.5;

/** A weight as it is, as it is turned and rounded, and its gradient, where rotations are learned. */
const learnedBytes = 12;

/**
 * Estimates the peak of resident memory in bytes: the process, embedding and head, a block in
 * float32, the largest layer's work; with a text its activations, statistics and a pass, or what
 * cutting it into tokens takes before. Pages of mapped files count, though the system may take them
 * back.
 */
export function estimateMemory(whole: WorkSize): number {
  const { training, learning } = whole;
  return Math.max(
    readingBytes(whole),
    training ? wholeTrainingBytes(whole, training) : blockwiseBytes(whole),
    !training && learning ? learningBytes(whole, learning) : 0,
  );
}

/** A text is a string and tokens once, before anything is computed. */
function readingBytes({ text, textFileBytes, vocabularySize }: WorkSize): number {
  if (!text) return 0;
  const tokenizer = tokenizerBytes + bytesOfEntry * vocabularySize;
  return processBytes + tokenizer + bytesOfTextByte * textFileBytes;
}

/**
 * Rotations of a whole model are learned on its weights as they are, as they are turned and rounded,
 * and their gradients; the ends are there once.
 */
function learningBytes(whole: WorkSize, learning: WholeTraining): number {
  const weights = weightsOf(whole.linears);
  const ends = 4 * Math.max(0, learning.parameters - weights);
  return ends + wholeTrainingBytes(whole, { ...learning, parameters: weights }, learnedBytes);
}

function blockwiseBytes(whole: WorkSize): number {
  const work = whole.byExpert ? withOneExpert(whole) : whole;
  const blocks = byBlock(work.linears);
  const blockBytes = 4 * Math.max(...blocks.map(weightsOf));
  const widths = work.linears.map(({ inFeatures }) => inFeatures);
  const ofLayer = work.method.quantizeLinear ? (work.method.trainingBytes ?? 0) : 0;
  const largest = (14 + ofLayer) * Math.max(...work.linears.map((linear) => weightsOf([linear])));
  const tables = Math.min(mostTableBytes, work.embeddingAndHeadWeights);
  const standing = processBytes + residentEnds(work) + blockBytes;
  const rounding = standing + tables + largest + lingering(work.linears);
  if (work.tokens === 0) return rounding;
  const transforms = Math.max(0, ...work.transforms.map((each) => transformBytes(work, each)));
  const ofOutputs = asksForGradients(work) ? outputGradientBytes(work, blockBytes) : 0;
  const ofWeights = asksForSensitivities(work) ? weightGradientBytes(work, blockBytes) : 0;
  const stage = 4 * Math.min(work.tokens, passTokens);
  const pass = passCopies * stage * (4 * Math.max(...widths) + 8 * work.hiddenSize);
  // Buffers that linger serve the passes; tables are quantized behind the blocks.
  const calibrating =
    standing +
    textBytes +
    work.activationBytes +
    trainingBytes(work) +
    (work.start ? blockBytes : 0) +
    Math.max(
      largest + Math.max(transforms, ofOutputs, ofWeights) + pass,
      quantizersOf(work).some(gathersHessians) ? solvingBytes(work, largest, pass) : 0,
    );
  return Math.max(rounding, calibrating);
}

/** Pages of the tables in front of and behind the blocks, where these are not computed with. */
function residentEnds(work: WorkSize): number {
  const { endBytes, areEndsMapped, tokens } = work;
  const isComputedWith = asksForGradients(work) || asksForSensitivities(work);
  if (!areEndsMapped || isComputedWith) return copiesOfEnds * endBytes;
  return Math.min(endBytes, tokens * rowPagesBytes);
}

/**
 * Second moments in float64: of the inputs of a stage, or of a block; with them the pass that they are
 * gathered in, or the factor of the widest, in float32, and the layer that it is for.
 */
function solvingBytes({ linears, isSequential }: WorkSize, largest: number, pass: number): number {
  const widest = Math.max(...linears.map(({ inFeatures }) => inFeatures));
  const squaresOf = isSequential ? stageSquares : distinctSquares;
  const moments = 8 * Math.max(...byBlock(linears).map(squaresOf));
  return (isSequential ? 1 : momentsOfBlock) * moments + Math.max(pass, largest + 4 * widest ** 2);
}

/** Σ n² over the inputs of the widest stage of a block; those of one width may be of one stage. */
function stageSquares(block: readonly PlannedLinear[]): number {
  const widths = [...new Set(block.map(({ inFeatures }) => inFeatures))];
  const ofWidth = widths.map((width) =>
    distinctSquares(block.filter(({ inFeatures }) => inFeatures === width)),
  );
  return Math.max(...ofWidth);
}

/** The same work with one expert of each mixture, and with the two streams that this takes. */
function withOneExpert(work: WorkSize): WorkSize {
  const linears = work.linears.filter(({ expert = 0 }) => expert === 0);
  const streams = 2 * 4 * work.tokens * work.hiddenSize;
  const activationBytes = work.activationBytes && work.activationBytes + streams;
  return { ...work, linears, activationBytes };
}

/**
 * Estimates the peak of resident memory in bytes of a run that has one matrix in memory at a time:
 * the process, and the largest matrix or what is left of many small ones.
 */
export function estimateMatrixMemory(linears: readonly PlannedLinear[]): number {
  const largest = Math.max(...linears.map((linear) => weightsOf([linear])));
  return processBytes + Math.max(matrixBytes * largest, lingering(linears));
}

/** Of the experts of a mixture, one: the buffers of the others are as large, and serve again. */
function lingering(linears: readonly PlannedLinear[]): number {
  const alike = linears.filter(({ expert = 0 }) => expert === 0);
  return Math.min(mostLingeringBytes, lingeringBytesOfWeight * weightsOf(alike));
}

/**
 * Float32 weights with gradients and moments where they are trained, the linears as values of their
 * grids, what the gradients need of each block, logits, and a teacher.
 */
function wholeTrainingBytes(
  { linears, hiddenSize, runs }: WorkSize,
  training: WholeTraining,
  ofParameter = trainedParameterBytes(training.moments),
): number {
  const { parameters, blocks, tokensAtOnce: tokens } = training;
  const outputs = sum(linears.map(({ outFeatures }) => outFeatures));
  // A weight on its grid and its gradient are there while their layer is run.
  const quantized = 8 * Math.max(...linears.map((linear) => weightsOf([linear])));
  const ofTeacher = training.teacher ? 4 * parameters : 0;
  const parameterBytes = training.trainsWeights ? ofParameter : 4;
  const blockFloats = runs * (outputs / blocks + 3 * hiddenSize);
  const size = { ...training, parameterBytes, hiddenSize, blockFloats, tokens };
  return estimateTrainingMemory(size) + textBytes + quantized + ofTeacher;
}

/**
 * Trained blocks: what training takes of every weight, usually gradients, two moments, and weights as
 * they are multiplied; and what the gradients need of each token of a batch.
 */
function trainingBytes(work: WorkSize): number {
  const { text, linears, hiddenSize, runs } = work;
  const trained = quantizersOf(work).filter(({ method }) => method.epochs);
  if (trained.length === 0 || !text) return 0;
  const blocks = byBlock(linears);
  const windows = trained.map(({ method, options }) => method.batch?.(options) ?? 1);
  const tokens = Math.min(text.windows, Math.max(...windows)) * text.window;
  const outputs = blocks.map((block) => sum(block.map(({ outFeatures }) => outFeatures)));
  const perToken = 4 * runs * (2 * Math.max(...outputs) + 8 * hiddenSize);
  const perWeight = Math.max(...trained.map(({ method }) => method.trainingBytes ?? 16));
  return perWeight * Math.max(...blocks.map(weightsOf)) + tokens * perToken;
}

/** Second moments of a block's inputs in float64, and what inverting the widest one takes. */
function hessianBytes({ linears }: WorkSize): number {
  const widest = Math.max(...linears.map(({ inFeatures }) => inFeatures));
  const moments = 8 * Math.max(...byBlock(linears).map(distinctSquares));
  return momentsOfBlock * moments + 16 * widest ** 2;
}

/** Statistics of a transform, and the inputs and outputs that its trials are judged by. */
function transformBytes(work: WorkSize, { method, options }: ChosenMethod): number {
  const widest = Math.max(...work.linears.map(({ inFeatures }) => inFeatures));
  const gathered = method.needs.statistics.includes("hessian") ? hessianBytes(work) : 0;
  const { tokens = 0 } = method.trials?.(options, quantizersOf(work).some(gathersHessians)) ?? {};
  const tried = Math.min(tokens, work.tokens);
  return gathered + tried * (8 * work.hiddenSize + 16 * widest);
}
