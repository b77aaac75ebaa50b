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
