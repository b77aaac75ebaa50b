import type { DecoderConfig } from "../models/decoder-config.ts";
import { expectedTensors } from "../models/decoder-tensors.ts";
import {
  estimateTrainingMemory,
  trainedParameterBytes,
  type TrainingSize,
} from "../run/estimate-training.ts";
import { elementCount } from "../tensor/shape.ts";
import type { AdamWSettings } from "../training/adamw.ts";
import { expectSchedule, type Schedule } from "../training/schedule.ts";
import type { TapePrecision } from "../tensor/tape.ts";
import type { TrainingData } from "./prepare-data.ts";
import type { TrainConfig } from "./pretrain-config.ts";
import { firstFit, type MemoryFit, waysToTrain } from "../run/memory-fit.ts";
import type { TrainPlan } from "./pretrain-events.ts";

const newLearningRate = 1e-3;
/** A model that was trained before is not thrown off its way. */
const furtherLearningRate = 1e-4;
const mostStepsBetweenStates = 500;

/** Largest learning rate of a training. */
export function learningRateOf({ optimizer, from }: TrainConfig): number {
  return optimizer.learningRate ?? (from === undefined ? newLearningRate : furtherLearningRate);
}

/** AdamW of a training: matrices decay, norms and biases do not. */
export function optimizerOf(config: TrainConfig): AdamWSettings {
  const { betas, epsilon, weightDecay, moments } = config.optimizer;
  const learningRate = learningRateOf(config);
  return {
    groups: { matrices: { learningRate, weightDecay }, rest: { learningRate } },
    betas,
    epsilon,
    moments,
  };
}

/** Schedule of a training. */
export function scheduleOf({ optimizer }: TrainConfig): Schedule {
  const { schedule: kind, warmUp, finalRatio } = optimizer;
  return { kind, warmUp, finalRatio };
}

/** How much text there is to train on. */
export interface TextSize extends Pick<TrainingData, "textTokens"> {
  readonly windows: Pick<TrainingData["windows"], "length" | "count">;
}

/** Says what a training will do. @throws UsageError when its schedule does not fit its length */
export function planPretraining(
  config: TrainConfig,
  decoder: DecoderConfig,
  data: TextSize,
  precision: TapePrecision,
): TrainPlan {
  const { batch } = config.data;
  const { accumulation } = config.optimizer;
  const { length, count } = data.windows;
  const tokensPerStep = batch * accumulation * length;
  const windowsPerStep = batch * accumulation;
  const atOnce = Math.min(batch, config.windowsAtOnce ?? batch);
  const steps = stepsOf(config, count / windowsPerStep, tokensPerStep);
  expectSchedule(scheduleOf(config), steps);
  const bytesOf = (fit: MemoryFit): number => {
    const way = { ...config, ...fit };
    const tokens = (fit.windowsAtOnce ?? atOnce) * length;
    return estimateTrainingMemory(trainingSize(decoder, tokens, way, precision));
  };
  const ways = waysToTrain({ windows: atOnce, recompute: config.recompute });
  const fit = firstFit(config.memory, ways, bytesOf);
  return {
    parameters: countParameters(decoder),
    vocabularySize: decoder.vocabularySize,
    steps,
    tokensPerStep,
    textTokens: data.textTokens,
    epochs: (steps * windowsPerStep) / count,
    precision,
    memoryBytes: bytesOf(fit),
    fit,
    checkpointEvery:
      config.checkpointEvery ?? Math.min(mostStepsBetweenStates, Math.ceil(steps / 20)),
  };
}

function stepsOf(
  { steps, tokens, epochs = 1 }: TrainConfig,
  stepsPerEpoch: number,
  tokensPerStep: number,
): number {
  if (steps !== undefined) return steps;
  if (tokens !== undefined) return Math.max(1, Math.round(tokens / tokensPerStep));
  return Math.max(1, Math.round(epochs * stepsPerEpoch));
}

/** Counts the parameters of a model. */
function countParameters(config: DecoderConfig): number {
  let count = 0;
  for (const [, shape] of expectedTensors(config)) count += elementCount(shape);
  return count;
}

function trainingSize(
  config: DecoderConfig,
  tokens: number,
  { recompute, optimizer }: TrainConfig,
  precision: TapePrecision,
): TrainingSize {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, layers } = config;
  // In bfloat16, parameters and the inputs of products are also there in 16 bits.
  const narrow = precision === "bf16" ? 0.5 : 0;
  const blockFloats =
    4 * hiddenSize +
    (3 * heads + 3 * kvHeads) * headDim +
    3 * intermediateSize +
    narrow * (2 * hiddenSize + heads * headDim + intermediateSize);
  return {
    parameters: countParameters(config),
    parameterBytes: trainedParameterBytes(optimizer.moments) + 4 * narrow,
    blocks: layers.length,
    hiddenSize,
    vocabularySize: config.vocabularySize,
    blockFloats: config.blockRuns * blockFloats,
    tokens,
    recompute,
  };
}
