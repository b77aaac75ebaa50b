import type { GridView } from "../../../backend/kernels.ts";
import { roundHalfEven } from "../../../util/rounding.ts";

const { fround } = Math;

/**
 * Chooses the code of a weight, in float32 arithmetic:
 * `clip(rne((w/s − origin)/step + z), 0, levels − 1)`; with two levels 1 where
 * `(w/s − origin)/step ≥ ½`. Of grids with values, the code is the number of midpoints of
 * neighbouring values that are below `w/s`. A scale of 0 stands for a group of zeros.
 */
export function encodeWeight(value: number, scale: number, zero: number, grid: GridView): number {
  const ratio = scale === 0 ? 0 : fround(value / scale);
  if (grid.values) return countMidpoints(ratio, grid.values);
  const steps = fround(fround(ratio - grid.origin) / grid.step);
  if (grid.levels === 2) return steps >= 0.5 ? 1 : 0;
  const code = roundHalfEven(fround(steps + zero));
  return Math.min(Math.max(code, 0), grid.levels - 1);
}

/** The number of midpoints of neighbouring values, rounded to float32, that are below a ratio. */
function countMidpoints(ratio: number, values: Float32Array): number {
  let code = 0;
  while (code + 1 < values.length && ratio > fround((values[code] + values[code + 1]) / 2)) code++;
  return code;
}

/**
 * Decodes a code to `s · (origin + step · (code − z)) + offset`, or `s · values[code] + offset`,
 * rounded to float32.
 */
export function decodeWeight(
  code: number,
  scale: number,
  zero: number,
  grid: GridView,
  offset = 0,
): number {
  const { values, origin, step } = grid;
  return fround(scale * (values ? values[code] : origin + step * (code - zero)) + offset);
}
