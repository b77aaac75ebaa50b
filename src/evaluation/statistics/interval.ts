import { normalQuantile } from "./distributions.ts";

/** An interval of a figure, and how sure it is. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  /** Share of repetitions in which such an interval holds the true value, 0 to 1. */
  readonly level: number;
}

/** The level of all intervals, unless another is asked for. */
export const usualLevel = 0.95;

/** Returns half the width of an interval: what stands behind `±`. */
export function halfWidth({ low, high }: Interval): number {
  return (high - low) / 2;
}

/** Applies a monotone function to both ends of an interval, such as `Math.exp`. */
export function mapInterval(interval: Interval, map: (value: number) => number): Interval {
  const ends = [map(interval.low), map(interval.high)];
  return { low: Math.min(...ends), high: Math.max(...ends), level: interval.level };
}

/**
 * Returns Wilson's score interval of a share of right answers. Unlike `p ± 1.96 · se` it stays
 * within 0 and 1 and has a width where all answers are right or all wrong. Source: Wilson 1927,
 * equation of p. 209.
 * @param right share of right answers, 0 to 1
 * @param items number of answers, at least 1
 */
export function wilsonInterval(right: number, items: number, level: number = usualLevel): Interval {
  const z = normalQuantile((1 - level) / 2);
  const shrink = 1 / (1 + (z * z) / items);
  const center = (right + (z * z) / (2 * items)) * shrink;
  const spread = z * shrink * Math.sqrt((right * (1 - right)) / items + (z / (2 * items)) ** 2);
  return { low: Math.max(0, center - spread), high: Math.min(1, center + spread), level };
}
