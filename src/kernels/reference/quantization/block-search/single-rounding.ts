/*
 * Arithmetic in float32: each operation rounds once, as C without fused operations does. The native
 * kernel computes the same, so that both find the same codes.
 */

const { fround } = Math;
/** In float32 a sum with 1.5 · 2²³ has no bits behind the point: adding it rounds, ties to even. */
const roundingShift = 12582912;

/** Rounds to the nearest integer, ties to even; for |value| < 2²². */
export function nearest(value: number): number {
  return fround(value + roundingShift) - roundingShift;
}

/** Limits a value to `[low, high]`. */
export function clip(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** `Σ values`, one after the other. */
export function sumOf(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum = fround(sum + value);
  return sum;
}

/** `Σ values²`, one after the other. */
export function sumOfSquares(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum = fround(sum + fround(value * value));
  return sum;
}

/** Returns the value of largest magnitude with its sign, the first of equal ones; 0 of none. */
export function signedPeak(values: Float32Array): number {
  let peak = 0;
  for (const value of values) if (Math.abs(value) > Math.abs(peak)) peak = value;
  return peak;
}
