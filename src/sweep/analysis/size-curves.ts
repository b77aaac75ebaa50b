import {
  compareAtEqualSize,
  type Crossing,
  type EqualSizeComparison,
  type SizedPoint,
  sizeOfEqualQuality,
} from "../../evaluation/analysis/crossover.ts";
import { readFigure } from "../../evaluation/figure.ts";
import { figures, qualities } from "../../evaluation/figures.ts";
import { fitScalingLaw } from "../../evaluation/analysis/scaling-law.ts";
import { mapInterval } from "../../evaluation/statistics/interval.ts";
import { correctDifferences } from "../../evaluation/statistics/paired-comparison.ts";
import { comparePairs, figureOf } from "./compare-points.ts";
import type { MeasuredPoint, MeasuredQuality } from "./measured-qualities.ts";
import type {
  Crossover,
  ScalingCurve,
  SizeCurve,
  SizedInterval,
  SizeId,
  SizeWithInterval,
} from "./sweep-analysis.ts";
import { meanOf } from "../../util/sums.ts";

/** A curve with the measurements that it is drawn through. */
export interface MeasuredCurve {
  readonly curve: SizeCurve;
  readonly measured: readonly MeasuredPoint[];
}

const sizeIds: readonly SizeId[] = ["size", "linear-size"];
const bandSteps = 25;
/** Points this close in size count as of equal size. */
const equalSize = Math.log(1.1);

/** Draws a curve over model sizes for each label that at least two models share. */
export function curvesOf(quality: MeasuredQuality): MeasuredCurve[] {
  // A divergence is from an original of the same size: over sizes it says nothing.
  if (!qualities[quality.kind].overSizes) return [];
  const labels = [...new Set(quality.points.map(({ point }) => point.label))];
  const families = labels
    .map((label) => quality.points.filter(({ point }) => point.label === label))
    .filter((family) => new Set(family.map(({ point }) => point.model)).size >= 2);
  const best = bestFamilies(quality, families);
  const originals = families.find((family) => family[0]?.point.method === null) ?? [];
  return sizeIds.flatMap((size) =>
    families.map((family) =>
      makeCurve(quality, family, { size, best: best.has(family), originals }),
    ),
  );
}

/**
 * At each bit-width the family with most models, and of these the one that is best in the mean;
 * originals before models that were trained further.
 */
function bestFamilies(
  { better }: MeasuredQuality,
  families: readonly MeasuredPoint[][],
): Set<MeasuredPoint[]> {
  const sign = better === "lower" ? 1 : -1;
  const found = new Map<number, MeasuredPoint[]>();
  for (const family of families) {
    const bits = family[0]?.point.bits ?? 0;
    const other = found.get(bits);
    const mean = (points: readonly MeasuredPoint[]): number =>
      sign * meanOf(points.map(({ value }) => value));
    // They come first.
    if (other?.[0]?.point.method === null) continue;
    const wins =
      !other ||
      family.length > other.length ||
      (family.length === other.length && mean(family) < mean(other));
    if (wins) found.set(bits, family);
  }
  return new Set(found.values());
}

function makeCurve(
  quality: MeasuredQuality,
  family: readonly MeasuredPoint[],
  {
    size,
    best,
    originals,
  }: {
    readonly size: SizeId;
    readonly best: boolean;
    readonly originals: readonly MeasuredPoint[];
  },
): MeasuredCurve {
  const measured = [...family].sort((a, b) => sizeOf(a, size) - sizeOf(b, size));
  const { label, bits } = measured[0]?.point ?? { label: "", bits: 0 };
  const points = measured.map((point) => ({
    ...figureOf(quality, point),
    sizeBytes: sizeOf(point, size),
    worth:
      point.point.method === null
        ? null
        : worthOf(sizeOfEqualQuality(originals.map(sized(size)), point)),
  }));
  const fit = quality.kind === "perplexity" ? fitCurve(measured.map(sized(size))) : null;
  return { measured, curve: { label, bits, size, best, points, fit } };
}

function worthOf(found: Crossing | null): SizeWithInterval | null {
  return found && { sizeBytes: found.size, interval: found.interval };
}

function sizeOf({ result }: MeasuredPoint, size: SizeId): number {
  return readFigure(figures[size], result) ?? Number.NaN;
}

function sized(size: SizeId): (point: MeasuredPoint) => SizedPoint {
  return (point) => ({ size: sizeOf(point, size), value: point.value, draws: point.draws });
}

function fitCurve(points: readonly SizedPoint[]): ScalingCurve | null {
  const sizes = points.map(({ size }) => size);
  if (new Set(sizes).size < 3) return null;
  const [from, to] = [Math.min(...sizes), Math.max(...sizes)];
  const at = Array.from(
    { length: bandSteps },
    (_, i) => from * (to / from) ** (i / (bandSteps - 1)),
  );
  const { floor, floorIdentified, scale, exponent, exponentInterval, worstResidual, band } =
    fitScalingLaw(points, { at });
  return {
    floor,
    floorIdentified,
    scale,
    exponent,
    exponentInterval,
    worstResidual,
    band: band.map(
      ({ size, value, interval }): SizedInterval => ({
        sizeBytes: size,
        value: Math.exp(value),
        interval: mapInterval(interval, Math.exp),
      }),
    ),
  };
}

/** Compares the best curves of any two bit-widths at equal size, all pairs taken as one family. */
export function crossoversOf(
  quality: MeasuredQuality,
  curves: readonly MeasuredCurve[],
): Crossover[] {
  return sizeIds.flatMap((size) => {
    const best = curves
      .filter(({ curve }) => curve.best && curve.size === size)
      .sort((a, b) => a.curve.bits - b.curve.bits);
    const found = best.flatMap((fewer, index) =>
      best.slice(index + 1).flatMap((more): Met[] => {
        const comparison = compareAtEqualSize(
          fewer.measured.map(sized(size)),
          more.measured.map(sized(size)),
          quality,
        );
        return comparison ? [{ fewer, more, comparison }] : [];
      }),
    );
    return describeAll(quality, size, found);
  });
}

interface Met {
  readonly fewer: MeasuredCurve;
  readonly more: MeasuredCurve;
  readonly comparison: EqualSizeComparison;
}

function describeAll(quality: MeasuredQuality, size: SizeId, found: readonly Met[]): Crossover[] {
  const means = correctDifferences(
    found.map(({ comparison }) => comparison.mean),
    quality.better,
  );
  const pairs = found.map(({ fewer, more }) => neighboursOf(fewer, more, size));
  const differences = comparePairs(quality, pairs.flat());
  return found.map(({ fewer, more, comparison }, index): Crossover => {
    const { label, bits } = fewer.curve;
    const { from, to, mean, along, crossings } = comparison;
    return {
      size,
      fewer: { label, bits },
      more: { label: more.curve.label, bits: more.curve.bits },
      from,
      to,
      mean: means[index] ?? mean,
      along: along.map(({ size: sizeBytes, difference: { estimate, interval } }) => ({
        sizeBytes,
        value: estimate,
        interval,
      })),
      neighbours: differences.splice(0, pairs[index]?.length ?? 0),
      crossings: crossings.map(({ size: sizeBytes, interval }) => ({ sizeBytes, interval })),
    };
  });
}

/** For each point of more bits the nearest in size of a larger model in fewer, if near. */
function neighboursOf(
  fewer: MeasuredCurve,
  more: MeasuredCurve,
  size: SizeId,
): (readonly [MeasuredPoint, MeasuredPoint])[] {
  return more.measured.flatMap((point) => {
    const apart = (other: MeasuredPoint): number =>
      Math.abs(Math.log(sizeOf(other, size) / sizeOf(point, size)));
    const [nearest] = fewer.measured
      .filter((other) => other.result.parameters > point.result.parameters)
      .sort((a, b) => apart(a) - apart(b));
    return nearest && apart(nearest) < equalSize ? [[nearest, point] as const] : [];
  });
}
