import type { AffineGridView } from "../../../backend/kernels.ts";
import { roundHalfEven } from "../../../util/rounding.ts";

const { fround } = Math;

/**
 * Chooses the code of a weight, in float32 arithmetic:
 * `clip(rne((w/s − origin)/step + z), 0, levels − 1)`; with two levels 1 where
 * `(w/s − origin)/step ≥ ½`. A scale of 0 stands for a group of zeros.
 */
export function encodeWeight(
  value: number,
  scale: number,
  zero: number,
  grid: AffineGridView,
): number {
  const ratio = scale === 0 ? 0 : fround(value / scale);
  const steps = fround(fround(ratio - grid.origin) / grid.step);
  if (grid.levels === 2) return steps >= 0.5 ? 1 : 0;
  const code = roundHalfEven(fround(steps + zero));
  return Math.min(Math.max(code, 0), grid.levels - 1);
}

/** Decodes a code to `s · (origin + step · (code − z)) + offset`, rounded to float32. */
export function decodeWeight(
  code: number,
  scale: number,
  zero: number,
  grid: AffineGridView,
  offset = 0,
): number {
  return fround(scale * (grid.origin + grid.step * (code - zero)) + offset);
}
