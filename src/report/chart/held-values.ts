import type { Interval } from "../../evaluation/statistics/interval.ts";

/** A value that an axis may hold, with its interval. */
export interface AxisFigure {
  readonly value: number;
  readonly interval: Pick<Interval, "low" | "high"> | null;
}

/** What an axis is like. */
export interface HeldOptions {
  readonly scale: "linear" | "logarithmic";
  /** The end at which values may be left out: the one that is worse. */
  readonly worse: "low" | "high";
}

/** Outliers lie behind the others by more than so many times the length that these take up. */
const outlierGap = 2;
/** Share of the values that may be left out. */
const mostLeftOut = 0.25;
/** Values this close, in the logarithm or as a share, are the same on any axis. */
const leastSpan = 0.02;
/** Intervals reach at most this many times beyond the values as those do, or as half of them do. */
const mostReach = 3;

interface Span {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Chooses what an axis has to hold: all values with their intervals, but for a few at its worse end
 * that lie so far behind that the others would get less than a third of it. These stand off the
 * chart. Where some intervals are far wider than the values lie apart, it holds a part of them.
 */
export function heldValues(
  figures: readonly AxisFigure[],
  { scale, worse }: HeldOptions,
): number[] {
  const turn = worse === "high" ? 1 : -1;
  const height = (value: number): number =>
    turn * (scale === "logarithmic" ? Math.log(value) : value);
  const spans = figures.flatMap(({ value, interval }): Span[] => {
    const own = height(value);
    if (!Number.isFinite(own)) return [];
    const ends = interval ? [height(interval.low), height(interval.high)] : [];
    const finite = [own, ...ends.filter(Number.isFinite)];
    return [{ value: own, low: Math.min(...finite), high: Math.max(...finite) }];
  });
  const kept = withoutOutliers(spans, scale);
  const back = (found: number): number =>
    scale === "logarithmic" ? Math.exp(turn * found) : turn * found;
  return endsOf(kept, scale).map(back);
}

/** Leaves out values at the high end, the fewest that make room for the others. */
function withoutOutliers(spans: readonly Span[], scale: HeldOptions["scale"]): readonly Span[] {
  let kept = [...spans].sort((a, b) => a.value - b.value);
  const few = kept.length < 3 ? 0 : 1;
  let budget = Math.max(few, Math.floor(mostLeftOut * kept.length));
  for (let count = 1; count <= budget; ) {
    const rest = kept.slice(0, kept.length - count);
    const others = kept.slice(kept.length - count);
    const gap = Math.min(...others.map(({ low }) => low)) - endOf(rest);
    if (gap <= outlierGap * Math.max(lengthOf(rest), floorOf(rest, scale))) {
      count++;
      continue;
    }
    kept = rest;
    budget -= count;
    count = 1;
  }
  return kept;
}

function endOf(spans: readonly Span[]): number {
  return Math.max(...spans.map(({ high }) => high));
}

function lengthOf(spans: readonly Span[]): number {
  return endOf(spans) - Math.min(...spans.map(({ low }) => low));
}

function floorOf(spans: readonly Span[], scale: HeldOptions["scale"]): number {
  if (scale === "logarithmic") return leastSpan;
  return leastSpan * Math.max(...spans.map(({ value }) => Math.abs(value)));
}

/** The values, and as much of their intervals as leaves them room. */
function endsOf(spans: readonly Span[], scale: HeldOptions["scale"]): number[] {
  if (spans.length === 0) return [];
  const values = spans.map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const halves = spans.map(({ low, high }) => (high - low) / 2).sort((a, b) => a - b);
  const usual = halves[Math.floor(halves.length / 2)] ?? 0;
  const reach = mostReach * Math.max(most - least, usual, floorOf(spans, scale));
  const low = Math.min(...spans.map((span) => span.low));
  const high = endOf(spans);
  return [...values, Math.max(low, least - reach), Math.min(high, most + reach)];
}
