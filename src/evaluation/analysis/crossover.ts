import type { Draws } from "../statistics/bootstrap.ts";
import { percentileInterval } from "../statistics/draws.ts";
import { type Interval, usualLevel } from "../statistics/interval.ts";
import { type Better, type Difference, differenceOf } from "../statistics/paired-comparison.ts";

/** A model of a family: its size and its quality. */
export interface SizedPoint {
  /** Above 0; bytes, or parameters. */
  readonly size: number;
  readonly value: number;
  /** Draws of the value; draw `i` of all points is of the same resample. */
  readonly draws: Draws;
}

/** How two curves over sizes differ where both are known. */
export interface EqualSizeComparison {
  /** The sizes at which both curves have points on either side. */
  readonly from: number;
  readonly to: number;
  /** Mean of `a − b` over the logarithm of the size. */
  readonly mean: Difference;
  /** `a − b` at sizes from `from` to `to`. */
  readonly along: readonly { readonly size: number; readonly difference: Difference }[];
  readonly crossings: readonly Crossing[];
}

/** A size at which two curves meet. */
export interface Crossing {
  readonly size: number;
  /** 95 % interval; null when less than 95 % of the draws cross in the same direction. */
  readonly interval: Interval | null;
}

/** A sum of points' values with constant factors: what every figure at one size is. */
type Combination = ReadonlyMap<SizedPoint, number>;

/**
 * Compares two curves at equal size: between its points a curve is linear in the logarithm of the
 * size. This is how ParetoQ compares bit-widths over a family of models (Liu et al. 2025, arXiv
 * 2502.02631, figure 1).
 * @param steps number of sizes at which the difference is given, at least 2
 * @returns null where the curves share no range of sizes
 */
export function compareAtEqualSize(
  a: readonly SizedPoint[],
  b: readonly SizedPoint[],
  { better, steps = 13 }: { readonly better: Better; readonly steps?: number },
): EqualSizeComparison | null {
  const [first, second] = [sortBySize(a), sortBySize(b)];
  const from = Math.max(first[0]?.size ?? Number.NaN, second[0]?.size ?? Number.NaN);
  const to = Math.min(first.at(-1)?.size ?? Number.NaN, second.at(-1)?.size ?? Number.NaN);
  if (!(from < to)) return null;
  const at = (size: number): Combination =>
    combine([
      [interpolate(first, size), 1],
      [interpolate(second, size), -1],
    ]);
  const sizes = Array.from({ length: steps }, (_, i) =>
    i === steps - 1 ? to : from * (to / from) ** (i / (steps - 1)),
  );
  const along = sizes.map(at);
  // Trapezoids: the ends count half.
  const mean = combine(
    along.map((part, i) => [part, (i === 0 || i === steps - 1 ? 0.5 : 1) / (steps - 1)]),
  );
  const compare = (sum: Combination): Difference =>
    differenceOf(valueOf(sum), drawsOf(sum), better);
  const knots = [...new Set([from, ...[...first, ...second].map(({ size }) => size), to])]
    .filter((size) => size >= from && size <= to)
    .sort((x, y) => x - y);
  return {
    from,
    to,
    mean: compare(mean),
    along: along.map((sum, i) => ({ size: sizes[i] ?? from, difference: compare(sum) })),
    crossings: findCrossings(knots, knots.map(at)),
  };
}

/**
 * Finds the size at which a curve is as good as a point: what the point is worth in models of that
 * curve. Where the curve meets the value several times, the smallest size is taken.
 * @returns null where the value lies outside of the curve
 */
export function sizeOfEqualQuality(
  curve: readonly SizedPoint[],
  { value, draws }: Omit<SizedPoint, "size">,
): Crossing | null {
  const points = sortBySize(curve);
  const sizes = points.map(({ size }) => size);
  const [met] = zerosOf(
    sizes,
    points.map((point) => point.value - value),
  );
  if (!met) return null;
  const found: number[] = [];
  for (let draw = 0; draw < draws.length; draw++) {
    const [zero] = zerosOf(
      sizes,
      points.map((point) => point.draws[draw] - draws[draw]),
    );
    if (zero) found.push(zero.size);
  }
  const sure = found.length >= usualLevel * draws.length;
  return { size: met.size, interval: sure ? percentileInterval(Float64Array.from(found)) : null };
}

function sortBySize(points: readonly SizedPoint[]): SizedPoint[] {
  return [...points].sort((a, b) => a.size - b.size);
}

/** The curve at a size within its range, as a sum of its two neighbours. */
function interpolate(points: readonly SizedPoint[], size: number): Combination {
  const above = points.findIndex((point) => point.size >= size);
  const right = points[above];
  const left = points[above - 1];
  if (!right) throw new RangeError(`no point at or above the size ${size}`);
  if (!left || right.size === size) return new Map([[right, 1]]);
  const share = Math.log(size / left.size) / Math.log(right.size / left.size);
  return new Map([
    [left, 1 - share],
    [right, share],
  ]);
}

function combine(parts: readonly (readonly [Combination, number])[]): Combination {
  const sum = new Map<SizedPoint, number>();
  for (const [part, factor] of parts) {
    for (const [point, weight] of part) sum.set(point, (sum.get(point) ?? 0) + factor * weight);
  }
  return sum;
}

function valueOf(sum: Combination): number {
  let total = 0;
  for (const [{ value }, weight] of sum) total += weight * value;
  return total;
}

function drawsOf(sum: Combination): Draws {
  const length = [...sum.keys()][0]?.draws.length ?? 0;
  const out = new Float64Array(length);
  for (const [{ draws }, weight] of sum) {
    for (let i = 0; i < length; i++) out[i] += weight * draws[i];
  }
  return out;
}

/** Where the difference, linear between knots in the logarithm of the size, changes its sign. */
function findCrossings(knots: readonly number[], differences: readonly Combination[]): Crossing[] {
  const draws = differences.map(drawsOf);
  const count = draws[0]?.length ?? 0;
  return zerosOf(knots, differences.map(valueOf)).map(({ size, rises }) => {
    const found: number[] = [];
    for (let draw = 0; draw < count; draw++) {
      const zeros = zerosOf(
        knots,
        draws.map((values) => values[draw]),
      ).filter((zero) => zero.rises === rises);
      const distance = (zero: { size: number }): number => Math.abs(Math.log(zero.size / size));
      const [nearest] = zeros.sort((x, y) => distance(x) - distance(y));
      if (nearest) found.push(nearest.size);
    }
    const sure = found.length >= usualLevel * count;
    return { size, interval: sure ? percentileInterval(Float64Array.from(found)) : null };
  });
}

function zerosOf(
  knots: readonly number[],
  values: readonly number[],
): { size: number; rises: boolean }[] {
  const zeros: { size: number; rises: boolean }[] = [];
  for (let i = 1; i < knots.length; i++) {
    const [left, right] = [values[i - 1], values[i]];
    if (left < 0 === right < 0 || left === right) continue;
    const share = left / (left - right);
    zeros.push({ size: knots[i - 1] * (knots[i] / knots[i - 1]) ** share, rises: right > left });
  }
  return zeros;
}
