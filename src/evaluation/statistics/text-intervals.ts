import { Prng } from "../../util/prng.ts";
import { blockLength, type BootstrapOptions, bootstrapMeans } from "./bootstrap.ts";
import { percentileInterval } from "./draws.ts";
import { type Interval, mapInterval } from "./interval.ts";

/** A quantile walks over its tail in each draw; this many give two digits of its interval. */
const quantileDraws = 2_000;

/**
 * Returns the 95 % interval of the mean over windows of one text; null where one window, or a value
 * that is not finite, gives none.
 * @param values one figure a window, in the order of the text
 */
export function windowInterval(
  values: readonly number[],
  options: BootstrapOptions = {},
): Interval | null {
  if (values.length < 2 || !values.every(Number.isFinite)) return null;
  const block = blockLength(values.length);
  const [means] = bootstrapMeans([values], { block, ...options });
  return means ? percentileInterval(means) : null;
}

/** Returns the 95 % interval of the perplexity, from the windows' mean losses in nats a token. */
export function perplexityInterval(windowLosses: readonly number[]): Interval | null {
  const interval = windowInterval(windowLosses);
  return interval && mapInterval(interval, Math.exp);
}

/**
 * Returns the 95 % interval of a high quantile of all tokens, from draws of whole windows; null as
 * with `windowInterval`. It is not stretched for few windows: the order statistics themselves bound
 * it.
 * @param windows one array a window with a figure of each token; all of one length
 * @param share of the tokens that lie below the quantile, at least 0.5
 */
export function tokenQuantileInterval(
  windows: readonly Float32Array[],
  share: number,
  { draws = quantileDraws, seed = 0, block = blockLength(windows.length) }: BootstrapOptions = {},
): Interval | null {
  const count = windows.length;
  if (count < 2) return null;
  const tokens = windows.flatMap((values, window) =>
    Array.from(values, (value) => ({ value, window })),
  );
  if (!tokens.every(({ value }) => Number.isFinite(value))) return null;
  tokens.sort((a, b) => b.value - a.value);
  const random = new Prng(seed);
  const weights = new Int32Array(count);
  const quantiles = new Float64Array(draws);
  for (let draw = 0; draw < draws; draw++) {
    weights.fill(0);
    for (let drawn = 0; drawn < count; ) {
      const start = random.below(count);
      for (let i = 0; i < block && drawn < count; i++, drawn++) weights[(start + i) % count]++;
    }
    // The largest value with at least this many tokens at or above it.
    let above = tokens.length - Math.ceil(share * tokens.length) + 1;
    let at = 0;
    while ((above -= weights[tokens[at].window]) > 0) at++;
    quantiles[draw] = tokens[at].value;
  }
  return percentileInterval(quantiles);
}
