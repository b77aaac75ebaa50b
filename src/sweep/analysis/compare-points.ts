import { percentileInterval, subtractDraws } from "../../evaluation/statistics/draws.ts";
import { mapInterval } from "../../evaluation/statistics/interval.ts";
import { correctDifferences, differenceOf } from "../../evaluation/statistics/paired-comparison.ts";
import { shareInterval } from "../../evaluation/statistics/share-intervals.ts";
import type { MeasuredPoint, MeasuredQuality } from "./measured-qualities.ts";
import type { PairDifference, PointFigure } from "./sweep-analysis.ts";

/** A point's figure and interval in the unit that people read. */
export function figureOf(
  { kind }: MeasuredQuality,
  { point, value, draws }: MeasuredPoint,
): PointFigure {
  const interval = percentileInterval(draws);
  if (kind === "perplexity") {
    return { id: point.id, value: Math.exp(value), interval: mapInterval(interval, Math.exp) };
  }
  if (kind === "accuracy") return { id: point.id, value, interval: shareInterval(draws) };
  return { id: point.id, value, interval: mapInterval(interval, (end) => Math.max(0, end)) };
}

/** Compares pairs of points, taken as one family of questions. */
export function comparePairs(
  { better }: Pick<MeasuredQuality, "better">,
  pairs: readonly (readonly [MeasuredPoint, MeasuredPoint])[],
): PairDifference[] {
  const differences = correctDifferences(
    pairs.map(([a, b]) => differenceOf(a.value - b.value, subtractDraws(a.draws, b.draws), better)),
    better,
  );
  return pairs.flatMap(([a, b], index) => {
    const difference = differences[index];
    return difference ? [{ a: a.point.id, b: b.point.id, difference }] : [];
  });
}
