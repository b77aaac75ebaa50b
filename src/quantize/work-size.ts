import type { Method, TrainingData, TrainingEffort } from "../methods/define-method.ts";
import type { ChosenMethod } from "../recipe/recipe.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { sum } from "../util/sums.ts";

/** Sizes of a training of the whole model. */
export interface WholeTraining extends TrainingEffort {
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
  /** Of embedding and head in the file. */
  readonly endBytes: number;
  /** Whether they are used as they stand in the file: no more of it is resident than is read. */
  readonly areEndsMapped: boolean;
  readonly sourceBytes: number;
  readonly outputBytes: number;
  /** How often each block runs in a row. */
  readonly runs: number;
  /** Whether the experts of a mixture are in memory one at a time. */
  readonly byExpert: boolean;
  /** Whether inputs are gathered stage by stage. */
  readonly isSequential: boolean;
  /** Calibration tokens, as often as a block sees them; 0 without calibration. */
  readonly tokens: number;
  /** The calibration text; null without. */
  readonly text: TrainingData | null;
  /** Of its largest file; 0 without. */
  readonly textFileBytes: number;
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

/** The method and what makes its start. */
export function quantizersOf({ method, options, start }: WorkSize): ChosenMethod[] {
  return [{ method, options }, ...(start ? [start] : [])];
}

/** Whether gradients by the outputs of blocks are computed first. */
export function asksForGradients(work: WorkSize): boolean {
  return quantizersOf(work).some(({ method, options }) => method.usesOutputGradients?.(options));
}

/** Whether squared gradients by the weights are computed first. */
export function asksForSensitivities(work: WorkSize): boolean {
  return quantizersOf(work).some(({ method }) => method.needs.sensitivities);
}

/** Whether second moments of the inputs are gathered. */
export function gathersHessians({ method }: ChosenMethod): boolean {
  return method.needs.statistics.includes("hessian");
}

/**
 * Σ n² over the inputs of a block that differ: query, output, gate and down each have one, and so
 * has each expert.
 */
export function distinctSquares(block: readonly PlannedLinear[]): number {
  const inputs = new Map<string, number>();
  for (const { slot, inFeatures } of block) {
    const parent = slot.split(".").slice(0, -1).join(".");
    inputs.set(`${parent} ${inFeatures}`, inFeatures ** 2);
  }
  return sum([...inputs.values()]);
}

/** The linears of each block, by its number. */
export function byBlock(linears: readonly PlannedLinear[]): PlannedLinear[][] {
  const blocks = new Map<number, PlannedLinear[]>();
  for (const linear of linears) {
    const members = blocks.get(linear.block);
    if (members) members.push(linear);
    else blocks.set(linear.block, [linear]);
  }
  return [...blocks.values()];
}

/** How many weights linears have together. */
export function weightsOf(linears: readonly PlannedLinear[]): number {
  return sum(linears.map(({ inFeatures, outFeatures }) => inFeatures * outFeatures));
}
