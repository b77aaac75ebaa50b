import type { Draws } from "../statistics/bootstrap.ts";
import { subtractDraws, twoSidedP } from "../statistics/draws.ts";
import { correctPValues } from "../statistics/holm.ts";
import { type Interval, usualLevel } from "../statistics/interval.ts";
import type { Better } from "../statistics/paired-comparison.ts";
import { isSame, placeCost, walkFront } from "./walk-front.ts";

/** A model as a front sees it: what it costs and how good it is. */
export interface PricedPoint {
  readonly id: string;
  readonly cost: number;
  /** What the cost may really be; by default it is exact. */
  readonly spread?: Pick<Interval, "low" | "high"> | null;
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
  /** Ids of the points that no other one beats at no surely higher cost, from the cheapest. */
  readonly points: readonly string[];
  readonly dominated: readonly DominatedPoint[];
}

/** A point that others beat at no surely higher cost. */
export interface DominatedPoint {
  readonly id: string;
  /** The points of the front that beat it, from the cheapest. */
  readonly by: readonly string[];
  /**
   * Whether one is surely no dearer, and better by a paired comparison, corrected for all pairs; else
   * it may be luck.
   */
  readonly clear: boolean;
}

/**
 * Finds the Pareto front. A point of it dominates another when it is no worse and not surely dearer,
 * and is not the same in both. Points whose cost or value is not a number take no part.
 */
export function findFront(
  points: readonly PricedPoint[],
  { better, cheaper = "lower" }: FrontDirections,
): ParetoFront {
  const valueSign = better === "lower" ? 1 : -1;
  const placed = points
    .filter(({ cost, value }) => Number.isFinite(cost) && Number.isFinite(value))
    .map((point) => {
      const { cost, value } = point;
      return { ...placeCost(cost, point.spread ?? null, cheaper), value: valueSign * value, point };
    })
    .sort((a, b) => a.cost - b.cost || a.value - b.value);
  const front = walkFront(placed);
  const pairs = placed.flatMap((of) =>
    front
      .filter((by) => by.value <= of.value && by.low <= of.high && !isSame(by, of))
      .filter(() => !front.includes(of))
      .map((by) => ({ of, by })),
  );
  const values = correctPValues(
    pairs.map(({ of, by }) => twoSidedP(subtractDraws(by.point.draws, of.point.draws))),
  );
  const clear = new Set(
    pairs
      .filter(({ of, by }, i) => by.value !== of.value && by.high <= of.low && isSure(values[i]))
      .map(({ of }) => of),
  );
  const dominated = placed
    .filter((of) => !front.includes(of))
    .map((of) => ({
      id: of.point.id,
      by: pairs.filter((pair) => pair.of === of).map(({ by }) => by.point.id),
      clear: clear.has(of),
    }));
  return { points: front.map(({ point }) => point.id), dominated };
}

function isSure(p: number | undefined): boolean {
  return p !== undefined && p < 1 - usualLevel;
}
