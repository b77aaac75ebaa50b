import type { Draws } from "../statistics/bootstrap.ts";
import { subtractDraws, twoSidedP } from "../statistics/draws.ts";
import { correctPValues } from "../statistics/holm.ts";
import { usualLevel } from "../statistics/interval.ts";
import type { Better } from "../statistics/paired-comparison.ts";

/** A model as a front sees it: what it costs and how good it is. */
export interface PricedPoint {
  readonly id: string;
  /** Taken as exact. */
  readonly cost: number;
  readonly value: number;
  /** Draws of the value; draw `i` of all points is of the same resample. */
  readonly draws: Draws;
}

/** Which way is good. */
export interface FrontDirections {
  readonly better: Better;
  /** Which costs are good; `higher` for speeds. Default `lower`. */
  readonly cheaper?: Better;
}

/** The front of some points, and what lies behind it. */
export interface ParetoFront {
  /** Ids of the points that no other one beats at no more cost, from the cheapest. */
  readonly points: readonly string[];
  readonly dominated: readonly DominatedPoint[];
}

/** A point that others beat at no more cost. */
export interface DominatedPoint {
  readonly id: string;
  /** The points of the front that beat it, from the cheapest. */
  readonly by: readonly string[];
  /** Whether one is better by a paired comparison, corrected for all pairs; else it may be luck. */
  readonly clear: boolean;
}

/**
 * Finds the Pareto front. A point dominates another when it costs no more, is no worse, and is not
 * the same in both. Points whose cost or value is not a number take no part.
 */
export function findFront(
  points: readonly PricedPoint[],
  { better, cheaper = "lower" }: FrontDirections,
): ParetoFront {
  const costSign = cheaper === "lower" ? 1 : -1;
  const valueSign = better === "lower" ? 1 : -1;
  const dominates = (a: PricedPoint, b: PricedPoint): boolean => {
    const cost = costSign * (a.cost - b.cost);
    const value = valueSign * (a.value - b.value);
    return cost <= 0 && value <= 0 && (cost < 0 || value < 0);
  };
  const sorted = points
    .filter(({ cost, value }) => Number.isFinite(cost) && Number.isFinite(value))
    .sort((a, b) => costSign * (a.cost - b.cost) || valueSign * (a.value - b.value));
  const front = sorted.filter((point) => !sorted.some((other) => dominates(other, point)));
  const pairs = sorted.flatMap((point) =>
    front.filter((other) => dominates(other, point)).map((by) => ({ point, by })),
  );
  const values = correctPValues(
    pairs.map(({ point, by }) => twoSidedP(subtractDraws(by.draws, point.draws))),
  );
  const clear = new Set(
    pairs
      .filter(({ point, by }, i) => by.value !== point.value && values[i] < 1 - usualLevel)
      .map(({ point }) => point),
  );
  const dominated = sorted
    .filter((point) => !front.includes(point))
    .map((point) => ({
      id: point.id,
      by: pairs.filter((pair) => pair.point === point).map(({ by }) => by.id),
      clear: clear.has(point),
    }));
  return { points: front.map(({ id }) => id), dominated };
}
