import { parseByteSize } from "../util/byte-size.ts";
import { OutOfMemoryError } from "../util/errors.ts";
import { gigabytes } from "./expect-memory.ts";

/** What is done so that a run stays within the memory that it may use; nothing without a limit. */
export interface MemoryFit {
  /** Windows of a micro-batch whose activations are in memory. */
  readonly windowsAtOnce?: number;
  /** Blocks are computed again for their gradients. */
  readonly recompute?: true;
  /** Activations between blocks lie in files. */
  readonly cacheOnDisk?: true;
}

/**
 * Ways to train, the fastest first: fewer and fewer of the windows that are in memory at once, which
 * costs hardly any time, before blocks are computed again, which costs a third.
 */
export function* waysToTrain(asked: {
  readonly windows: number;
  readonly recompute: boolean;
}): Generator<MemoryFit> {
  for (const recompute of asked.recompute ? [false] : [false, true]) {
    for (let windows = asked.windows; windows >= 1; windows = Math.floor(windows / 2)) {
      yield {
        ...(windows < asked.windows && { windowsAtOnce: windows }),
        ...(recompute && { recompute }),
      };
    }
  }
}

/**
 * Chooses the first of some ways that stays within a size; without one, that of doing as asked.
 * @throws OutOfMemoryError when none does
 */
export function firstFit(
  memory: string | undefined,
  ways: Iterable<MemoryFit>,
  bytesOf: (way: MemoryFit) => number,
): MemoryFit {
  if (memory === undefined) return {};
  const limit = parseByteSize(memory);
  let least = Number.POSITIVE_INFINITY;
  for (const way of ways) {
    const needed = bytesOf(way);
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
