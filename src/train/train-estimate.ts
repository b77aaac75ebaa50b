import { availableMemoryBytes } from "../platform/node.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { expectedTensors } from "../models/decoder-weights.ts";
import { elementCount } from "../tensor/shape.ts";
import { FewbitError } from "../util/errors.ts";

const processBytes = 120e6;

/** Counts the parameters of a model. */
export function countParameters(config: DecoderConfig): number {
  let count = 0;
  for (const [, shape] of expectedTensors(config)) count += elementCount(shape);
  return count;
}

/**
 * Estimates the peak of memory in bytes: parameters, their gradients and moments in float32, and a
 * copy in bfloat16; activations of all blocks, or of one where they are recomputed; logits and
 * their gradient.
 */
export function estimateTrainingMemory(
  config: DecoderConfig,
  tokens: number,
  { recompute, precision }: { readonly recompute: boolean; readonly precision: "f32" | "bf16" },
): number {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, layers } = config;
  const attention = (3 * heads + 3 * kvHeads) * headDim;
  const narrow = precision === "bf16" ? 0.5 : 0;
  const block =
    4 * hiddenSize +
    attention +
    3 * intermediateSize +
    narrow * (2 * hiddenSize + heads * headDim + intermediateSize);
  const kept = recompute ? layers.length * hiddenSize + 2 * block : (layers.length + 1) * block;
  const activations = 4 * tokens * (kept + 2 * config.vocabularySize + 4 * hiddenSize);
  const perParameter = 16 + (precision === "bf16" ? 2 : 0);
  return processBytes + perParameter * countParameters(config) + activations;
}

/**
 * Refuses a training that does not fit into the memory that is free. @throws FewbitError (code
 * `MEMORY`)
 */
export function expectTrainingMemory(needBytes: number): void {
  const available = availableMemoryBytes();
  if (needBytes <= available) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new FewbitError(
    "MEMORY",
    `needs about ${gigabytes(needBytes)} of memory, ${gigabytes(available)} is free`,
    {
      hint: "use smaller batches with accumulation, shorter windows, or recomputation (--recompute)",
    },
  );
}
