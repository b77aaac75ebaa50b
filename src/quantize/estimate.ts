import type { Backend } from "../backend/backend.ts";
import type { Method, TrainingData, TrainingEffort } from "../methods/define-method.ts";
import { monotonicMs } from "../platform/node.ts";
import { matmul } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ChosenMethod } from "../recipe/recipe.ts";
import {
  estimateTrainingMemory,
  processBytes,
  trainedParameterBytes,
} from "../run/estimate-training.ts";
import { outputGradientBytes, outputGradientFlops } from "./estimate-output-gradients.ts";
import { weightGradientBytes, weightGradientFlops } from "./estimate-sensitivities.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { sum } from "../util/sums.ts";

const passTokens = 2048;
/** Choosing, packing, comparing, hashing and writing one weight, on an idle machine. */
const secondsPerWeight = 60e-9;
const diskBytesPerSecond = 300e6;
/** Opening a model and its journal, and tokenizing a text. */
const openingSeconds = 0.3;
const textSeconds = 0.5;
/** A weight that is rotated when it is read. */
const secondsPerRotated = 5e-8;
/** Heap that a text, its tokens and windows take. */
const textBytes = 15e6;
/** What ends are in memory at once: pages of the mapped file, and what is written. */
const copiesOfEnds = 2;
/** Memory of a pass at its peak over that of its largest inputs and outputs. */
const passCopies = 2;
/** An operation of solving a layer, in float64 and column by column, over one of a product. */
const solvingCost = 5;
/** Forward passes that a trial of a transform takes: scales and clips, for each group of layers. */
const passesOfTrial = 2.5;
/** Share of the speed of a large product that training as a whole reaches. */
const trainingSpeed = 0.5;

/** A weight as it is, as it is turned and rounded, and its gradient, where rotations are learned. */
const learnedBytes = 12;

/** Sizes of a training of the whole model. */
interface WholeTraining extends TrainingEffort {
  readonly parameters: number;
  readonly blocks: number;
  readonly vocabularySize: number;
  /** Whether another model of this size is run beside it. */
  readonly teacher: boolean;
}

/** Sizes that memory and time follow from. */
export interface WorkSize {
  readonly linears: readonly PlannedLinear[];
  /** Blocks of the model. */
  readonly blocks: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  readonly endBytes: number;
  readonly sourceBytes: number;
  readonly outputBytes: number;
  /** How often each block runs in a row. */
  readonly runs: number;
  /** Whether the experts of a mixture are in memory one at a time. */
  readonly byExpert: boolean;
  /** Calibration tokens, as often as a block sees them; 0 without calibration. */
  readonly tokens: number;
  /** The calibration text; null without. */
  readonly text: TrainingData | null;
  /** Activations between blocks that are kept in memory. */
  readonly activationBytes: number;
  readonly method: Method;
  /** Options of the method. */
  readonly options: Record<string, unknown>;
  /** What makes the weights that the method begins with; null: nothing. */
  readonly start: ChosenMethod | null;
  readonly transforms: readonly ChosenMethod[];
  /** Weights of embedding and output head that are quantized. */
  readonly embeddingAndHeadWeights: number;
  /** Of methods that train the whole model; otherwise null. */
  readonly training: WholeTraining | null;
  /** Of transforms that learn rotations of the whole model; otherwise null. */
  readonly learning: WholeTraining | null;
}

/**
 * Estimates the peak of resident memory in bytes: the process, embedding and head, a block in
 * float32, the largest layer's work; with a text its activations, statistics and a pass. Pages of
 * mapped files count, though the system may take them back.
 */
export function estimateMemory(whole: WorkSize): number {
  if (whole.training) return wholeTrainingBytes(whole, whole.training);
  return Math.max(blockwiseBytes(whole), whole.learning ? learningBytes(whole, whole.learning) : 0);
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
  const standing = processBytes + copiesOfEnds * work.endBytes + blockBytes + largest;
  if (work.tokens === 0) return standing;
  const hessians = quantizersOf(work).some(gathersHessians) ? hessianBytes(work) : 0;
  const transforms = Math.max(0, ...work.transforms.map((each) => transformBytes(work, each)));
  const ofOutputs = asksForGradients(work) ? outputGradientBytes(work, blockBytes) : 0;
  const ofWeights = asksForSensitivities(work) ? weightGradientBytes(work, blockBytes) : 0;
  const stage = 4 * Math.min(work.tokens, passTokens);
  const pass = passCopies * stage * (4 * Math.max(...widths) + 8 * work.hiddenSize);
  return (
    standing +
    textBytes +
    work.activationBytes +
    trainingBytes(work) +
    (work.start ? blockBytes : 0) +
    Math.max(hessians, transforms, ofOutputs, ofWeights) +
    pass
  );
}

/** The same work with one expert of each mixture, and with the two streams that this takes. */
function withOneExpert(work: WorkSize): WorkSize {
  const linears = work.linears.filter(({ expert = 0 }) => expert === 0);
  const streams = 2 * 4 * work.tokens * work.hiddenSize;
  const activationBytes = work.activationBytes && work.activationBytes + streams;
  return { ...work, linears, activationBytes };
}

/** Bytes a weight that quantizing a matrix takes: as floats, before and after, and its codes. */
const matrixBytes = 18;
/** Buffers of matrices that are done with, before the garbage collector takes them. */
const lingeringBytes = 80e6;

/**
 * Estimates the peak of resident memory in bytes of a run that has one matrix in memory at a time:
 * the process, and the largest matrix or what is left of many small ones.
 */
export function estimateMatrixMemory(linears: readonly PlannedLinear[]): number {
  const largest = Math.max(...linears.map((linear) => weightsOf([linear])));
  const lingering = Math.min(lingeringBytes, matrixBytes * weightsOf(linears));
  return processBytes + Math.max(matrixBytes * largest, lingering);
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

/** The method and what makes its start. */
function quantizersOf({ method, options, start }: WorkSize): ChosenMethod[] {
  return [{ method, options }, ...(start ? [start] : [])];
}

function asksForGradients(work: WorkSize): boolean {
  return quantizersOf(work).some(({ method, options }) => method.usesOutputGradients?.(options));
}

function asksForSensitivities(work: WorkSize): boolean {
  return quantizersOf(work).some(({ method }) => method.needs.sensitivities);
}

function gathersHessians({ method }: ChosenMethod): boolean {
  return method.needs.statistics.includes("hessian");
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
  return 8 * Math.max(...byBlock(linears).map(distinctSquares)) + 16 * widest ** 2;
}

/** Statistics of a transform, and the inputs and outputs that its trials are judged by. */
function transformBytes(work: WorkSize, { method, options }: ChosenMethod): number {
  const widest = Math.max(...work.linears.map(({ inFeatures }) => inFeatures));
  const gathered = method.needs.statistics.includes("hessian") ? hessianBytes(work) : 0;
  const { tokens = 0 } = method.trials?.(options) ?? {};
  const tried = Math.min(tokens, work.tokens);
  return gathered + tried * (8 * work.hiddenSize + 16 * widest);
}

/**
 * Estimates the time in seconds, from a short measurement of how fast this machine multiplies
 * matrices now, other programs included. What a run does beside products slows down as they do.
 */
export async function estimateSeconds(backend: Backend, work: WorkSize): Promise<number> {
  const { flops, load } = await measurePace(backend);
  const disk = (work.sourceBytes + work.outputBytes) / diskBytesPerSecond;
  const weights = weightsOf(work.linears) + work.embeddingAndHeadWeights;
  const text = work.tokens > 0 || work.training ? textSeconds : 0;
  const rotates = work.transforms.some(({ method }) => method.rotateModel);
  const rotating = rotates ? weightsOf(work.linears) * secondsPerRotated : 0;
  const plain = load * (openingSeconds + text + weights * secondsPerWeight + rotating) + disk;
  if (work.training) {
    return plain + wholeTrainingFlops(work, work.training) / (trainingSpeed * flops);
  }
  const learning = work.learning ? learningFlops(work, work.learning) / (trainingSpeed * flops) : 0;
  return work.tokens === 0 ? plain : plain + learning + calibratedFlops(work) / (0.7 * flops);
}

/** Products over the calibration tokens: passes, trials, trained steps, statistics and solving. */
function calibratedFlops(work: WorkSize): number {
  const weights = weightsOf(work.linears);
  const { text } = work;
  const quantizers = text ? quantizersOf(work) : [];
  const widest = Math.max(...work.linears.map(({ inFeatures }) => inFeatures));
  const epochs = sum(
    quantizers.map(({ method, options }) => (text && method.epochs?.(options, text)) ?? 0),
  );
  const trials = sum(
    work.transforms.map(({ method, options }) => {
      if (!method.transformBlock) return 0;
      const { passes = 0, tokens = 0, tokensPerColumn } = method.trials?.(options) ?? {};
      const triesQuantizer = tokensPerColumn !== undefined && quantizers.some(gathersHessians);
      const gathered = triesQuantizer
        ? Math.min(work.tokens, tokensPerColumn * widest)
        : work.tokens;
      return gathered + passesOfTrial * passes * Math.min(tokens, work.tokens);
    }),
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
  const passes = 2 * weights * (forward + toStart + trials + training) + gradients + ofWeights;
  if (!quantizers.some(gathersHessians)) return passes;
  const statistics = sum(
    byBlock(work.linears).map((block) => distinctSquares(block) * work.tokens),
  );
  const solving = sum(work.linears.map((l) => l.inFeatures ** 2 * (l.outFeatures + l.inFeatures)));
  // A transform tries the quantizer on about a third of its candidates before it gives up.
  const tried = sum(
    work.transforms.map(({ method, options }) => (method.trials?.(options).passes ?? 0) / 3),
  );
  const products = sum(
    quantizers.map(({ method, options }) => method.layerProducts?.(options) ?? 0),
  );
  const ofLayers = 2 * products * sum(work.linears.map((l) => l.inFeatures ** 2 * l.outFeatures));
  return passes + statistics + ofLayers + solvingCost * solving * (1 + tried);
}

/** How fast a machine computes at the moment. */
interface Pace {
  /** Floating-point operations a second of a large matrix product. */
  readonly flops: number;
  /** By what factor other programs slow it down; 1 on an idle machine. */
  readonly load: number;
}

/** Paces are measured anew after so long, since other programs come and go. */
const paceLastsMs = 5000;
const paceTakesMs = 60;
const paces = new WeakMap<Backend, { readonly atMs: number; readonly pace: Pace }>();

/** Measures the pace of a large matrix product here and now. */
async function measurePace(backend: Backend): Promise<Pace> {
  const known = paces.get(backend);
  if (known && monotonicMs() - known.atMs < paceLastsMs) return known.pace;
  const size = backend.id === "reference" ? 96 : 512;
  const a = Tensor.zeros(backend, "f32", [size, size]);
  const times: number[] = [];
  const beganMs = monotonicMs();
  while (times.length < 4 || monotonicMs() - beganMs < paceTakesMs) {
    const startedMs = monotonicMs();
    const product = matmul(a, a, { transposeB: true });
    await backend.synchronize();
    times.push(monotonicMs() - startedMs);
    product.release();
  }
  a.release();
  // The first one warms up.
  const [, ...warm] = times;
  const usual = sum(warm) / warm.length;
  const pace = { flops: (2000 * size ** 3) / usual, load: usual / Math.min(...warm) };
  paces.set(backend, { atMs: monotonicMs(), pace });
  return pace;
}

/** Measures the floating-point operations a second of a large matrix product here and now. */
export async function measureFlops(backend: Backend): Promise<number> {
  return (await measurePace(backend)).flops;
}

/**
 * Σ n² over the inputs of a block that differ: query, output, gate and down each have one, and so
 * has each expert.
 */
function distinctSquares(block: readonly PlannedLinear[]): number {
  const inputs = new Map<string, number>();
  for (const { slot, inFeatures } of block) {
    const parent = slot.split(".").slice(0, -1).join(".");
    inputs.set(`${parent} ${inFeatures}`, inFeatures ** 2);
  }
  return sum([...inputs.values()]) * 1.5;
}

function byBlock(linears: readonly PlannedLinear[]): PlannedLinear[][] {
  const blocks = new Map<number, PlannedLinear[]>();
  for (const linear of linears) {
    const members = blocks.get(linear.block);
    if (members) members.push(linear);
    else blocks.set(linear.block, [linear]);
  }
  return [...blocks.values()];
}

function weightsOf(linears: readonly PlannedLinear[]): number {
  return sum(linears.map(({ inFeatures, outFeatures }) => inFeatures * outFeatures));
}
