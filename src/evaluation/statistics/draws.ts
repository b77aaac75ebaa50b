import { normalTail } from "./distributions.ts";
import type { Draws } from "./bootstrap.ts";
import { type Interval, usualLevel } from "./interval.ts";

/** With fewer draws in a tail its share says little, and the normal distribution is taken. */
const fewDraws = 10;
/** Smaller p values are not claimed: so far out nobody knows the distribution. */
const leastP = 1e-6;

/** Returns the interval between the percentiles of the draws. */
export function percentileInterval(draws: Draws, level: number = usualLevel): Interval {
  const sorted = Float64Array.from(draws).sort();
  const tail = (1 - level) / 2;
  return { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail), level };
}

/** Returns a quantile of sorted numbers, interpolated (Hyndman and Fan's type 7). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(sorted.length - 1, below + 1);
  // Not a product with 0 where an end is infinite.
  if (at === below) return sorted[below];
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/**
 * Returns the two-sided p value of "the true value is 0": twice the share of draws on the other
 * side of 0 than most. Where fewer than ten draws lie there, the tail of the normal distribution
 * with the draws' spread is taken instead, down to 1e-6: ten thousand draws alone could not show
 * that a p value is below 0.0001.
 */
export function twoSidedP(draws: Draws): number {
  let below = 0;
  let above = 0;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < draws.length; i++) {
    if (draws[i] <= 0) below++;
    if (draws[i] >= 0) above++;
    sum += draws[i];
  }
  const mean = sum / draws.length;
  for (let i = 0; i < draws.length; i++) squares += (draws[i] - mean) ** 2;
  const beyond = Math.min(below, above);
  if (beyond >= fewDraws) return Math.min(1, (2 * (beyond + 1)) / (draws.length + 1));
  const spread = Math.sqrt(squares / draws.length);
  const highest = (2 * (fewDraws + 1)) / (draws.length + 1);
  return Math.min(highest, Math.max(leastP, 2 * normalTail(Math.abs(mean) / spread)));
}

/** Returns draws of a function of several figures, resample by resample. */
export function mapDraws(draws: readonly Draws[], map: (...values: number[]) => number): Draws {
  const values = new Array<number>(draws.length).fill(0);
  return Float64Array.from(draws[0] ?? [], (_, draw) => {
    for (const [index, figure] of draws.entries()) values[index] = figure[draw];
    return map(...values);
  });
}

/** Returns the draws of a difference of two figures: `a − b`. */
export function subtractDraws(a: Draws, b: Draws): Draws {
  const out = new Float64Array(a.length);
  for (let i = 0; i < out.length; i++) out[i] = a[i] - b[i];
  return out;
}
