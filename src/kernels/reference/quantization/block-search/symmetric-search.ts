import { clip, nearest, signedPeak } from "./single-rounding.ts";

const { fround } = Math;
const tenth = fround(0.1);
/** A group whose largest magnitude is below this counts as zeros. */
export const leastPeak = fround(1e-15);
const trials = [-9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const descents = 5;

/** `Σ w·x·l` and `Σ w·l²`: the scale that fits levels l best is their ratio. */
interface LevelSums {
  readonly products: number;
  readonly squares: number;
}

/**
 * Finds the scale of a group of values `x` with levels −half to half − 1, and the codes: level
 * plus `half`. The value of largest magnitude is level −half at first; then slightly other scales
 * are tried, and the one is kept that explains the most of `Σ weight · x²`.
 */
export function fitSymmetric(
  x: Float32Array,
  weights: Float32Array,
  half: number,
  codes: Uint8Array,
): number {
  const peak = signedPeak(x);
  if (Math.abs(peak) < leastPeak) {
    codes.fill(0);
    return 0;
  }
  let inverse = fround(-half / peak);
  let sums = sumLevels(x, weights, half, inverse);
  let scale = sums.squares ? fround(sums.products / sums.squares) : 0;
  let explained = fround(scale * sums.products);
  for (const trial of trials) {
    const tried = fround(-fround(half + fround(tenth * trial)) / peak);
    sums = sumLevels(x, weights, half, tried);
    const { products, squares } = sums;
    if (squares > 0 && fround(products * products) > fround(explained * squares)) {
      inverse = tried;
      scale = fround(products / squares);
      explained = fround(scale * products);
    }
  }
  for (let i = 0; i < x.length; i++) codes[i] = half + levelOf(fround(inverse * x[i]), half);
  return scale;
}

/**
 * Finds the scale of a group of values `x` with levels −half to half − 1 by changing one level at a
 * time, from those of the plain scale on, as long as that explains more of `Σ weight · x²`.
 */
export function descendSymmetric(
  x: Float32Array,
  weights: Float32Array,
  half: number,
  codes: Uint8Array,
): number {
  const peak = signedPeak(x);
  if (Math.abs(peak) < leastPeak) {
    codes.fill(0);
    return 0;
  }
  const inverse = fround(-half / peak);
  const levels = Array.from(x, (value) => levelOf(fround(inverse * value), half));
  let sums = sumLevels(x, weights, half, inverse);
  for (let pass = 0; pass < descents; pass++) {
    let changes = 0;
    for (let i = 0; i < x.length; i++) {
      const rest = without(sums, x[i], weights[i], levels[i]);
      if (!(rest.products > 0)) continue;
      const level = levelOf(fround(fround(x[i] * rest.squares) / rest.products), half);
      if (level === levels[i]) continue;
      const changed = withLevel(rest, x[i], weights[i], level);
      if (!(changed.squares > 0 && explainsMore(changed, sums))) continue;
      levels[i] = level;
      sums = changed;
      changes++;
    }
    if (changes === 0) break;
  }
  for (let i = 0; i < x.length; i++) codes[i] = half + levels[i];
  return sums.squares > 0 ? fround(sums.products / sums.squares) : 0;
}

/** Sums without the part of one value. */
export function without(sums: LevelSums, x: number, weight: number, level: number): LevelSums {
  return {
    products: fround(sums.products - fround(fround(weight * x) * level)),
    squares: fround(sums.squares - fround(fround(weight * level) * level)),
  };
}

/** Sums with the part of one more value. */
export function withLevel(sums: LevelSums, x: number, weight: number, level: number): LevelSums {
  return {
    products: fround(sums.products + fround(fround(weight * x) * level)),
    squares: fround(sums.squares + fround(fround(weight * level) * level)),
  };
}

/** Whether levels with the sums `a` explain more of `Σ w·x²` than those with the sums `b`. */
export function explainsMore(a: LevelSums, b: LevelSums): boolean {
  const left = fround(fround(a.products * a.products) * b.squares);
  return left > fround(fround(b.products * b.products) * a.squares);
}

function levelOf(value: number, half: number): number {
  return clip(nearest(value), -half, half - 1);
}

function sumLevels(
  x: Float32Array,
  weights: Float32Array,
  half: number,
  inverse: number,
): LevelSums {
  let sums: LevelSums = { products: 0, squares: 0 };
  for (let i = 0; i < x.length; i++) {
    sums = withLevel(sums, x[i], weights[i], levelOf(fround(inverse * x[i]), half));
  }
  return sums;
}
