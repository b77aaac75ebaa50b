import { gigabytes } from "../run/expect-memory.ts";
import type { MemoryFit } from "../run/plan.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { parseByteSize } from "../util/byte-size.ts";
import { OutOfMemoryError } from "../util/errors.ts";
import { estimateMemory, type WorkSize } from "./estimate.ts";

/**
 * Chooses how a run stays within the memory that its recipe allows: of the ways that the work has,
 * the fastest that fits.
 * @throws OutOfMemoryError when none does
 */
export function fitMemory(work: WorkSize, { memory }: Recipe): MemoryFit {
  if (memory === undefined) return {};
  const limit = parseByteSize(memory);
  const ways = work.training ? waysToTrain(work) : waysToKeepActivations(work);
  let least = Number.POSITIVE_INFINITY;
  for (const way of ways) {
    const needed = estimateMemory(fitted(work, way));
    if (needed <= limit) return way;
    least = Math.min(least, needed);
  }
  throw new OutOfMemoryError(
    `needs about ${gigabytes(least)} of memory at the least, and may use ${memory}`,
    {
      hint: "allow more (`memory`), or use shorter windows (`window`)",
      field: "memory",
      value: memory,
    },
  );
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

/**
 * Fewer and fewer windows of a micro-batch at once, which costs hardly any time, before blocks are
 * computed again, which costs a third.
 */
function* waysToTrain({ training, text }: WorkSize): Generator<MemoryFit> {
  if (!training || !text) return;
  yield {};
  const all = training.tokensAtOnce / text.window;
  for (const recompute of training.recompute ? [true] : [false, true]) {
    for (let windows = all; windows >= 1; windows = Math.floor(windows / 2)) {
      yield {
        ...(windows < all && { windowsAtOnce: windows }),
        ...(recompute && { recompute }),
      };
    }
  }
}

function* waysToKeepActivations({ activationBytes }: WorkSize): Generator<MemoryFit> {
  yield {};
  if (activationBytes > 0) yield { cacheOnDisk: true };
}
