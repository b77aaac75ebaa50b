import { Prng } from "../../util/prng.ts";
import { ShapeError } from "../../util/errors.ts";
import { normalQuantile, studentQuantile } from "./distributions.ts";
import { usualLevel } from "./interval.ts";
import { meanOf } from "../../util/sums.ts";

/** How a bootstrap draws. */
export interface BootstrapOptions {
  /** Number of draws; default 10,000. */
  readonly draws?: number;
  /** Default 0. The same seed, counts and block give the same draws. */
  readonly seed?: number;
  /** Neighbours that are drawn together: 1 for independent units. */
  readonly block?: number;
}

/** Figures of one sample under repeated resampling; draw `i` of each is of the same resample. */
export type Draws = Float64Array;

const usualDraws = 10_000;

/**
 * Returns how many neighbouring windows of a text are drawn together: `⌊∛n⌋`, the order at which
 * the block bootstrap's variance is best (Künsch 1989; Hall, Horowitz and Jing 1995).
 */
export function blockLength(windows: number): number {
  return Math.max(1, Math.floor(Math.cbrt(windows) + 1e-9));
}

/**
 * Draws means of several series of equal length by one bootstrap: unit `j` is drawn for all series
 * or for none, so that differences of the drawn means are paired. Blocks of neighbours are drawn
 * with replacement from the circle of all units (Politis and Romano 1992). The deviations from the
 * mean are stretched, so that 95 % of the draws of few units are as wide as Student's interval and
 * not as the normal one (after the expanded percentile interval of Hesterberg 2015).
 *
 * @param series one or more series of at least 2 numbers
 * @returns for each series the drawn means
 * @throws ShapeError when the series differ in length or have less than two units
 */
export function bootstrapMeans(
  series: readonly ArrayLike<number>[],
  { draws = usualDraws, seed = 0, block = 1 }: BootstrapOptions = {},
): Draws[] {
  const units = expectEqualLengths(series);
  const blocks = Math.ceil(units / block);
  const wrapped = series.map((values) => runningSums(values, block));
  const stretch = stretchFor(units / block);
  const random = new Prng(seed);
  const starts = new Int32Array(blocks);
  const means = series.map(() => new Float64Array(draws));
  for (let draw = 0; draw < draws; draw++) {
    for (let i = 0; i < blocks; i++) starts[i] = random.below(units);
    // The last block is cut where the resample has as many units as the sample.
    const lastLength = units - (blocks - 1) * block;
    for (const [index, sums] of wrapped.entries()) {
      let sum = 0;
      for (let i = 0; i < blocks - 1; i++) sum += sums[starts[i] + block] - sums[starts[i]];
      const last = starts[blocks - 1];
      sum += sums[last + lastLength] - sums[last];
      // Series are centred, so the deviation is what is drawn.
      means[index][draw] = sum / units;
    }
  }
  for (const [index, values] of series.entries()) {
    const mean = meanOf(values);
    for (let draw = 0; draw < draws; draw++) {
      means[index][draw] = mean + stretch * means[index][draw];
    }
  }
  return means;
}

/**
 * Draws shares of right answers of several models to the same items, as `bootstrapMeans` does. Each
 * share also gets `(P − Q) / items`, with `P` and `Q` Poisson of mean ½ and of its own: in the
 * difference of two models that is what two imaginary items would add, one for either side (Bonett
 * and Price 2012). Without them five answers more, and none less, would count as proof.
 *
 * @param series for each model 1 where its answer is right and 0 where not, in the same order
 */
export function bootstrapShares(
  series: readonly ArrayLike<number>[],
  options: Omit<BootstrapOptions, "block"> = {},
): Draws[] {
  const drawn = bootstrapMeans(series, { ...options, block: 1 });
  const items = series[0]?.length ?? 0;
  const random = new Prng((options.seed ?? 0) ^ 0x5eed);
  for (const shares of drawn) {
    for (let draw = 0; draw < shares.length; draw++) {
      shares[draw] += (drawHalfPoisson(random) - drawHalfPoisson(random)) / items;
    }
  }
  return drawn;
}

/** Draws from the Poisson distribution of mean ½ (Knuth's product of uniforms). */
function drawHalfPoisson(random: Prng): number {
  const limit = Math.exp(-0.5);
  let count = -1;
  for (let product = 1; product > limit; count++) product *= random.uniform();
  return count;
}

function expectEqualLengths(series: readonly ArrayLike<number>[]): number {
  const units = series[0]?.length ?? 0;
  const other = series.find(({ length }) => length !== units);
  if (other) {
    throw new ShapeError(
      `paired figures need the same units: expected ${units}, got ${other.length}`,
      { hint: "measure both on the same text and tasks, with the same options" },
    );
  }
  if (units < 2) throw new ShapeError(`a bootstrap needs at least 2 units, got ${units}`);
  return units;
}

/** `sums[i]`: sum of the first `i` deviations from the mean; goes round as a block reaches. */
function runningSums(values: ArrayLike<number>, block: number): Float64Array {
  const units = values.length;
  const mean = meanOf(values);
  const sums = new Float64Array(units + block + 1);
  for (let i = 0; i < units + block; i++) sums[i + 1] = sums[i] + (values[i % units] - mean);
  return sums;
}

/**
 * How much wider Student's 95 % interval of `blocks` independent blocks is than the bootstrap's
 * own, which takes the normal quantile and divides by `blocks` instead of `blocks − 1`.
 */
function stretchFor(blocks: number): number {
  const freedom = Math.max(1, blocks - 1);
  const tail = (1 - usualLevel) / 2;
  const wider = studentQuantile(tail, freedom) / normalQuantile(tail);
  return wider * Math.sqrt((freedom + 1) / freedom);
}
