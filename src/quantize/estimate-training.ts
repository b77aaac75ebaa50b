import type { TrainingEffort } from "../methods/define-method.ts";
import type { PlannedLinear } from "../run/plan.ts";

/** Float32 value, gradient and two moments of a parameter. */
const parameterBytes = 16;
/** Share of the speed of a large product that training as a whole reaches. */
const trainingSpeed = 0.5;

/** Sizes of a training of the whole model. */
export interface TrainingSize extends TrainingEffort {
  readonly parameters: number;
  readonly blocks: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  readonly linears: readonly PlannedLinear[];
  /** Whether another model of this size is run beside it. */
  readonly teacher: boolean;
}

/**
 * Estimates the memory in bytes that training takes besides the process: float32 weights with
 * gradients and moments, the linears as values of their grids, what the gradients need of each
 * block, and logits.
 */
export function estimateTrainingMemory(size: TrainingSize): number {
  const { parameters, linears, microBatchTokens: tokens, blocks, hiddenSize } = size;
  const weights = linears.reduce((sum, l) => sum + l.inFeatures * l.outFeatures, 0);
  const outputs = linears.reduce((sum, { outFeatures }) => sum + outFeatures, 0);
  const state = parameters * (size.trainsWeights ? parameterBytes : 4);
  const perToken = 4 * (2 * outputs + 8 * hiddenSize * blocks);
  const kept = size.recompute ? perToken / blocks + 4 * hiddenSize * blocks : perToken;
  const quantized = (4 * weights) / (size.recompute ? blocks : 1);
  const logits = 3 * 4 * tokens * size.vocabularySize;
  return state + quantized + tokens * kept + logits + (size.teacher ? 4 * parameters : 0);
}

/** Estimates the time in seconds, for a machine whose products do `flops` operations a second. */
export function estimateTrainingSeconds(size: TrainingSize, flops: number): number {
  const { linears, steps, accumulation, microBatchTokens, hiddenSize, vocabularySize } = size;
  const weights = linears.reduce((sum, l) => sum + l.inFeatures * l.outFeatures, 0);
  const passes = 3 + (size.recompute ? 1 : 0) + (size.teacher ? 1 : 0);
  const perToken = 2 * passes * (weights + hiddenSize * vocabularySize);
  return (steps * accumulation * microBatchTokens * perToken) / (flops * trainingSpeed);
}
