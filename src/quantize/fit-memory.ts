import type { Recipe } from "../recipe/recipe.ts";
import { firstFit, type MemoryFit, waysToTrain } from "../run/memory-fit.ts";
import { estimateMemory } from "./estimate-memory.ts";
import type { WorkSize } from "./work-size.ts";

/**
 * Chooses how a run stays within the memory that its recipe allows: of the ways that the work has,
 * the fastest that fits.
 * @throws OutOfMemoryError when none does
 */
export function fitMemory(work: WorkSize, { memory }: Recipe): MemoryFit {
  return firstFit(memory, waysOf(work), (way) => estimateMemory(fitted(work, way)));
}

/** The sizes of work that is done so. */
export function fitted(
  work: WorkSize,
  { windowsAtOnce, recompute, cacheOnDisk }: MemoryFit,
): WorkSize {
  const { training, text } = work;
  const tokensAtOnce = windowsAtOnce && text ? windowsAtOnce * text.window : training?.tokensAtOnce;
  return {
    ...work,
    ...(cacheOnDisk && { activationBytes: 0 }),
    ...(training && {
      training: {
        ...training,
        tokensAtOnce: tokensAtOnce ?? training.tokensAtOnce,
        recompute: recompute ?? training.recompute,
      },
    }),
  };
}

/** A recipe that says itself how it stays within its memory. */
export function withFit(recipe: Recipe, { cacheOnDisk, ...ofTraining }: MemoryFit): Recipe {
  return {
    ...recipe,
    ...(cacheOnDisk && { cacheOnDisk }),
    options: { ...recipe.options, ...ofTraining },
  };
}

function waysOf({ training, text, activationBytes }: WorkSize): Iterable<MemoryFit> {
  if (training && text) {
    const { tokensAtOnce, recompute } = training;
    return waysToTrain({ windows: tokensAtOnce / text.window, recompute });
  }
  return activationBytes > 0 ? [{}, { cacheOnDisk: true }] : [{}];
}
