import { qualities, type QualityKind } from "../evaluation/figures.ts";
import { halfWidth, type Interval } from "../evaluation/statistics/interval.ts";
import type { Difference } from "../evaluation/statistics/paired-comparison.ts";
import { formatNumber } from "./format.ts";

/** Behind a difference, by what it is told in. */
const units = { percent: " %", points: " points", nats: " nats" } as const;

/**
 * Says how much lower or higher `a` is: `3.1 ± 0.4 % lower`. A difference of losses is given as the
 * ratio of perplexities, one of accuracies in points, one of divergences in nats.
 */
export function describeDifference(kind: QualityKind, difference: Difference): string {
  const { estimate, interval } = shownDifference(kind, difference);
  const sign = estimate < 0 ? -1 : 1;
  const unit = units[qualities[kind].told ?? "nats"];
  return (
    `${formatPlusMinus(sign * estimate, halfWidth(interval))}${unit} ` +
    `${sign < 0 ? "lower" : "higher"}`
  );
}

/**
 * Gives the interval of a difference that was not decided: `between −0.3 % and +0.5 %`. An interval
 * without 0 is significant taken alone, but not after correction for all comparisons.
 */
export function describeRange(
  kind: QualityKind,
  { interval }: Pick<Difference, "interval">,
): string {
  const shown = shownDifference(kind, { estimate: 0, interval }).interval;
  const decimals = decimalsOf(halfWidth(shown));
  const unit = units[qualities[kind].told ?? "nats"];
  const end = (value: number): string =>
    `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(decimals)}${unit}`;
  const alone = shown.low > 0 || shown.high < 0 ? ", taken alone" : "";
  return `between ${end(shown.low)} and ${end(shown.high)}${alone}`;
}

/** Formats a value to the first `digits` of its half width (default 1): `3.1 ± 0.4`. */
export function formatPlusMinus(value: number, half: number, digits: number = 1): string {
  if (!Number.isFinite(value) || !Number.isFinite(half)) return formatNumber(value);
  const decimals = Math.min(6, decimalsOf(half) + digits - 1);
  return half > 0 ? `${value.toFixed(decimals)} ± ${half.toFixed(decimals)}` : formatNumber(value);
}

function decimalsOf(half: number): number {
  if (!(half > 0)) return 1;
  // Rounded first: 0.096 is 0.1.
  const exponent = Number(half.toExponential(0).split("e")[1]);
  return Math.min(6, Math.max(half < 10 ? 1 : 0, -exponent));
}

/** The difference in the unit it is reported in: percent, points, nats. */
function shownDifference(
  kind: QualityKind,
  { estimate, interval }: Pick<Difference, "estimate" | "interval">,
): { estimate: number; interval: Interval } {
  const { told } = qualities[kind];
  const show = (value: number): number =>
    told === "percent" ? 100 * Math.expm1(value) : told === "points" ? 100 * value : value;
  const { low, high, level } = interval;
  return { estimate: show(estimate), interval: { low: show(low), high: show(high), level } };
}
