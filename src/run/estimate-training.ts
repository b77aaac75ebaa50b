import { bytesPerElement } from "../tensor/dtype.ts";
import type { MomentDType } from "../training/adamw.ts";
import { usualLogitsAtOnce } from "../training/loss-by-rows.ts";

/**
 * Memory of a process beside its tensors: Node with its code (55 MB of mapped files), our modules, and
 * a heap that is collected now and then. Measured of the published program: 113 to 125 MB where tensors are a few megabytes.
 */
export const processBytes = 120e6;
/** Bytes of a trained parameter: its value and gradient in float32, and two moments. */
export function trainedParameterBytes(moments: MomentDType): number {
  return 8 + 2 * bytesPerElement(moments);
}

/** Sizes that the memory of training a whole model follows from. */
export interface TrainingSize {
  readonly parameters: number;
  /** What a parameter takes with its gradient, moments and copies. */
  readonly parameterBytes: number;
  readonly blocks: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** Floats that the gradients need of one block for each token. */
  readonly blockFloats: number;
  /** Tokens whose activations are in memory at once. */
  readonly tokens: number;
  /** Whether blocks are computed again for their gradients. */
  readonly recompute: boolean;
}

/**
 * Estimates the peak of memory in bytes of training a whole model: parameters with what belongs to
 * them; activations of all blocks, or of one where they are recomputed; some rows of logits.
 */
export function estimateTrainingMemory(size: TrainingSize): number {
  const { blocks, hiddenSize, blockFloats, tokens, vocabularySize } = size;
  const kept = size.recompute ? blocks * hiddenSize + 2 * blockFloats : (blocks + 1) * blockFloats;
  const logits = Math.min(tokens * vocabularySize, usualLogitsAtOnce);
  const activations = 4 * (tokens * (kept + 4 * hiddenSize) + 3 * logits);
  return processBytes + size.parameters * size.parameterBytes + activations;
}
