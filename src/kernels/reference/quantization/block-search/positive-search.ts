import { nearest } from "./single-rounding.ts";
import { explainsMore, leastPeak, withLevel, without } from "./symmetric-search.ts";

const { fround } = Math;
const tenth = fround(0.1);
const trials = [-4, -3, -2, -1, 1, 2, 3, 4];
const descents = 5;

/**
 * Finds the scale of values `x` of at least 0 with levels 0 to `top`, and the levels: the scales and
 * offsets of a superblock's groups, which are quantized themselves. Of nine scales that with the
 * least weighted squared error, then one level at a time.
 */
export function fitPositive(
  x: Float32Array,
  weights: Float32Array,
  top: number,
  levels: Uint8Array | Int8Array,
): number {
  const peak = x.reduce((a, b) => Math.max(a, b), 0);
  if (peak < leastPeak) {
    levels.fill(0);
    return 0;
  }
  let inverse = fround(top / peak);
  let least = errorAt(x, weights, inverse, top);
  for (const trial of trials) {
    const tried = fround(fround(fround(tenth * trial) + top) / peak);
    const error = errorAt(x, weights, tried, top);
    if (error < least) {
      least = error;
      inverse = tried;
    }
  }
  return descend(x, weights, inverse, top, levels);
}

function descend(
  x: Float32Array,
  weights: Float32Array,
  inverse: number,
  top: number,
  levels: Uint8Array | Int8Array,
): number {
  let sums = { products: 0, squares: 0 };
  for (let i = 0; i < x.length; i++) {
    levels[i] = Math.min(top, nearest(fround(inverse * x[i])));
    sums = withLevel(sums, x[i], weights[i], levels[i]);
  }
  for (let pass = 0; pass < descents; pass++) {
    let changes = 0;
    for (let i = 0; i < x.length; i++) {
      const rest = without(sums, x[i], weights[i], levels[i]);
      if (!(rest.products > 0 && rest.squares > 0)) continue;
      const ideal = fround(fround(x[i] * rest.squares) / rest.products);
      const level = Math.min(top, nearest(ideal));
      if (level === levels[i]) continue;
      const changed = withLevel(rest, x[i], weights[i], level);
      if (!explainsMore(changed, sums)) continue;
      levels[i] = level;
      sums = changed;
      changes++;
    }
    if (changes === 0) break;
  }
  return sums.squares > 0 ? fround(sums.products / sums.squares) : 0;
}

function errorAt(x: Float32Array, weights: Float32Array, inverse: number, top: number): number {
  const scale = fround(1 / inverse);
  let error = 0;
  for (let i = 0; i < x.length; i++) {
    const level = Math.min(top, nearest(fround(inverse * x[i])));
    const off = fround(x[i] - fround(scale * level));
    error = fround(error + fround(fround(weights[i] * off) * off));
  }
  return error;
}
