import { Prng } from "../../util/prng.ts";
import { UsageError } from "../../util/errors.ts";
import { percentileInterval, quantile } from "../statistics/draws.ts";
import { type Interval, usualLevel } from "../statistics/interval.ts";
import type { SizedPoint } from "./crossover.ts";

/** `L(N) = floor + scale · N^−exponent`. */
export interface ScalingLaw {
  readonly floor: number;
  readonly scale: number;
  readonly exponent: number;
}

/** A law fitted to measured losses, and how well it is known. */
export interface ScalingFit extends ScalingLaw {
  /** The sizes tell the floor apart from none. Where not, the law has none. */
  readonly floorIdentified: boolean;
  readonly exponentInterval: Interval;
  /** Root mean square deviation from the law, over the degrees of freedom; null without any. */
  readonly residual: number | null;
  readonly worstResidual: number;
  /** The law at each size asked for, with its 95 % interval. */
  readonly band: readonly {
    readonly size: number;
    readonly value: number;
    readonly interval: Interval;
  }[];
}

/** The fewest sizes with which the floor can be fitted and a degree of freedom is left. */
const sizesForFloor = 4;
const floorSteps = 24;
const goldenSteps = 18;
/** A law is fitted for each draw; so many give its band to two digits. */
const usualFits = 300;

/**
 * Fits `L(N) = E + A · N^−α` to the losses of a family (Kaplan et al. 2020, arXiv 2001.08361,
 * without E; Hoffmann et al. 2022, arXiv 2203.15556, with E). The floor E is searched for; for each
 * E, `log(L − E)` is linear in `log N` and the line follows in closed form, each point weighing
 * `(L − E)²` so that an error of the loss counts the same everywhere. E is kept when there are four
 * sizes or more and 97.5 % of the draws have it above 0. Hoffmann's Huber loss is not taken: with
 * four points it would pick two and pass through them.
 *
 * The band comes from fitting each draw anew. A draw has two parts: the text (the points' own
 * draws, paired), and the deviations from the law (normal, as large as the fit's residual).
 *
 * @param points at least 3 sizes, losses above 0 in nats a token
 * @throws UsageError with fewer sizes
 */
export function fitScalingLaw(
  points: readonly SizedPoint[],
  { at, seed = 0, fits = usualFits }: { at: readonly number[]; seed?: number; fits?: number },
): ScalingFit {
  const sizes = points.map(({ size }) => size);
  if (new Set(sizes).size < 3) {
    throw new UsageError(`a scaling law needs at least 3 sizes, got ${new Set(sizes).size}`);
  }
  const losses = points.map(({ value }) => value);
  const draw = (law: ScalingLaw, parameters: number): ScalingLaw[] =>
    fitDraws(points, residualOf(sizes, losses, law, parameters) ?? 0, {
      seed,
      fits,
      floor: parameters === 3,
    });
  let law = fitWithFloor(sizes, losses);
  let laws: ScalingLaw[] = [];
  let floorIdentified = false;
  if (points.length >= sizesForFloor) {
    laws = draw(law, 3);
    const floors = laws.map(({ floor }) => floor).sort((x, y) => x - y);
    floorIdentified = quantile(floors, (1 - usualLevel) / 2) > 0;
  }
  if (!floorIdentified) {
    law = fitAtFloor(sizes, losses, 0);
    laws = draw(law, 2);
  }
  return {
    ...law,
    floorIdentified,
    exponentInterval: percentileInterval(Float64Array.from(laws, ({ exponent }) => exponent)),
    residual: residualOf(sizes, losses, law, floorIdentified ? 3 : 2),
    worstResidual: Math.max(
      ...points.map(({ size, value }) => Math.abs(value - lossAt(law, size))),
    ),
    band: at.map((size) => ({
      size,
      value: lossAt(law, size),
      interval: percentileInterval(Float64Array.from(laws, (drawn) => lossAt(drawn, size))),
    })),
  };
}

/** Returns the loss that a law gives for a size. */
export function lossAt({ floor, scale, exponent }: ScalingLaw, size: number): number {
  return floor + scale * size ** -exponent;
}

function fitDraws(
  points: readonly SizedPoint[],
  residual: number,
  { seed, fits, floor }: { seed: number; fits: number; floor: boolean },
): ScalingLaw[] {
  const random = new Prng(seed);
  const sizes = points.map(({ size }) => size);
  const drawn = points[0]?.draws.length ?? 0;
  return Array.from({ length: Math.min(fits, drawn) }, (_, i) => {
    const losses = points.map(({ draws }) => draws[i] + residual * random.normal());
    return floor ? fitWithFloor(sizes, losses) : fitAtFloor(sizes, losses, 0);
  });
}

/**
 * Root of the squared deviations over the degrees of freedom that `parameters` leave; null when
 * none.
 */
function residualOf(
  sizes: readonly number[],
  losses: readonly number[],
  law: ScalingLaw,
  parameters: number,
): number | null {
  const freedom = sizes.length - parameters;
  return freedom > 0 ? Math.sqrt(squaresOf(sizes, losses, law) / freedom) : null;
}

/** Searches the floor between 0 and the lowest loss: a grid, then golden sections at its best. */
function fitWithFloor(sizes: readonly number[], losses: readonly number[]): ScalingLaw {
  const lowest = Math.min(...losses);
  const cost = (floor: number): number =>
    squaresOf(sizes, losses, fitAtFloor(sizes, losses, floor));
  const step = lowest / floorSteps;
  let best = 0;
  let least = cost(0);
  for (let i = 1; i < floorSteps; i++) {
    const squares = cost(i * step);
    if (squares < least) [best, least] = [i * step, squares];
  }
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.max(0, best - step), Math.min(best + step, lowest * (1 - 1e-6))];
  for (let i = 0; i < goldenSteps; i++) {
    const inner = high - ratio * (high - low);
    const outer = low + ratio * (high - low);
    if (cost(inner) < cost(outer)) high = outer;
    else low = inner;
  }
  const refined = (low + high) / 2;
  return fitAtFloor(sizes, losses, best === 0 && cost(refined) >= least ? 0 : refined);
}

/** The line `log(L − E) = log A − α · log N` of least weighted squares. */
function fitAtFloor(
  sizes: readonly number[],
  losses: readonly number[],
  floor: number,
): ScalingLaw {
  let [weights, sumX, sumY, sumXX, sumXY] = [0, 0, 0, 0, 0];
  // Near 0 the sums of products keep their digits.
  const origin = Math.log(sizes[0]);
  for (let i = 0; i < sizes.length; i++) {
    // A draw may fall to or below the floor; it counts next to nothing then.
    const above = Math.max(losses[i] - floor, 1e-9);
    const [x, y, weight] = [Math.log(sizes[i]) - origin, Math.log(above), above * above];
    weights += weight;
    sumX += weight * x;
    sumY += weight * y;
    sumXX += weight * x * x;
    sumXY += weight * x * y;
  }
  const slope = (weights * sumXY - sumX * sumY) / (weights * sumXX - sumX * sumX);
  const scale = Math.exp((sumY - slope * sumX) / weights - slope * origin);
  return { floor, scale, exponent: -slope };
}

function squaresOf(sizes: readonly number[], losses: readonly number[], law: ScalingLaw): number {
  let sum = 0;
  for (let i = 0; i < sizes.length; i++) sum += (losses[i] - lossAt(law, sizes[i])) ** 2;
  return sum;
}
