import { type BootstrapOptions, bootstrapShares, type Draws } from "./bootstrap.ts";
import { mapDraws, percentileInterval } from "./draws.ts";
import { type Interval, mapInterval } from "./interval.ts";
import { meanOf } from "../../util/sums.ts";

/** Nothing is decided by these intervals: two digits are enough. */
const shareDraws = 1_000;

/** Returns the 95 % interval between the percentiles of a share's draws, within 0 and 1. */
export function shareInterval(draws: Draws): Interval {
  return mapInterval(percentileInterval(draws), (end) => Math.min(1, Math.max(0, end)));
}

/**
 * Returns the 95 % interval of the mean share of right answers over tasks, each of which is drawn
 * by itself; null where a task has less than two items.
 * @param tasks for each task 1 where the answer is right and 0 where not
 */
export function meanShareInterval(
  tasks: readonly ArrayLike<number>[],
  { draws = shareDraws, seed = 0 }: Pick<BootstrapOptions, "draws" | "seed"> = {},
): Interval | null {
  if (tasks.length === 0 || tasks.some(({ length }) => length < 2)) return null;
  const drawn = tasks.flatMap((answers, index) =>
    bootstrapShares([answers], { draws, seed: seed + index }),
  );
  return shareInterval(mapDraws(drawn, (...shares) => meanOf(shares)));
}
