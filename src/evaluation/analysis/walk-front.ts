import type { Interval } from "../statistics/interval.ts";
import type { Better } from "../statistics/paired-comparison.ts";

/** A point as the walk along a front sees it: lower is better in both ways. */
export interface FrontPlace {
  readonly cost: number;
  /** Ends of what the cost may really be. */
  readonly low: number;
  readonly high: number;
  readonly value: number;
}

/**
 * Finds the points of a front, from the cheapest. Walks from the best value on: a point joins when
 * it is surely cheaper than all before it, so that costs whose spreads overlap count as equal. Of
 * points that are the same in both ways all join.
 */
export function walkFront<T extends FrontPlace>(points: readonly T[]): T[] {
  const front: T[] = [];
  let cheapest = Infinity;
  for (const point of [...points].sort((a, b) => a.value - b.value || a.cost - b.cost)) {
    const twin = front.some((other) => isSame(other, point));
    if (!twin && point.high >= cheapest) continue;
    front.push(point);
    cheapest = Math.min(cheapest, point.low);
  }
  return points
    .filter((point) => front.includes(point))
    .sort((a, b) => a.cost - b.cost || a.value - b.value);
}

/** Whether two points are the same in both ways. */
export function isSame(a: FrontPlace, b: FrontPlace): boolean {
  return a.value === b.value && a.cost === b.cost && a.low === b.low && a.high === b.high;
}

/** Turns a cost so that lower is better. */
export function placeCost(
  cost: number,
  spread: Pick<Interval, "low" | "high"> | null,
  cheaper: Better,
): Omit<FrontPlace, "value"> {
  const { low, high } = spread ?? { low: cost, high: cost };
  return cheaper === "lower" ? { cost, low, high } : { cost: -cost, low: -high, high: -low };
}
