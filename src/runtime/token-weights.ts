import { NumericError } from "../util/errors.ts";

/** Steps of the table a power of two: the rest's series then ends after r⁴ / 24. */
const steps = 256;
const stepsPerUnit = steps / Math.LN2;
const unitsPerStep = Math.LN2 / steps;
const fractions = Float64Array.from({ length: steps }, (_, i) => 2 ** (-i / steps));
const halvings = Float64Array.from({ length: 1076 }, (_, n) => 2 ** -n);

/** Beyond this, `e^−x` counts as 0. */
export const furthestDistance = 744;

/**
 * `e^−x` for x ≥ 0, to `1e-15 + x · 1e-16` relative; 0 beyond 744. It is `2^(−n / 256) · e^r` with
 * the nearest whole n, by a table and a short series: a pass over a vocabulary takes a fraction of
 * the time of `Math.exp`.
 */
export function expOfMinus(x: number): number {
  if (!(x <= furthestDistance)) return 0;
  const n = (x * stepsPerUnit + 0.5) | 0;
  const r = n * unitsPerStep - x;
  const series = 1 + r * (1 + r * (0.5 + r * (1 / 6 + r / 24)));
  return halvings[n >> 8] * fractions[n & 255] * series;
}

/** The order of tokens: by logit, the largest first; equal ones by id. */
export function byLikelihood(logits: Float32Array): (a: number, b: number) => number {
  return (a, b) => logits[b] - logits[a] || a - b;
}

/** Returns the index of the first largest logit. @throws NumericError when one is NaN */
export function mostLikely(logits: Float32Array): number {
  let best = 0;
  let top = logits[0];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    if (logit > top) {
      top = logit;
      best = id;
    } else if (logit !== logit) throw notNumbers(logits);
  }
  return best;
}

/** Builds the error for logits that no token can be drawn from. */
export function notNumbers(logits: Float32Array): NumericError {
  const count = logits.filter((logit) => !Number.isFinite(logit)).length;
  return new NumericError(`${count} of ${logits.length} logits are NaN or infinite`, {
    hint: "the weights of this model are damaged, or its numbers overflow",
  });
}
