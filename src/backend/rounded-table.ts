import { floatToHalfBits, halfBitsToFloat } from "../util/half.ts";
import { roundHalfEven } from "../util/rounding.ts";

/** Values `step · (code − zero)`, which stand for those of a table in `fast` products. */
export interface RoundedTable {
  /** From 0 to 127, so that the sum of two products with 8-bit inputs fits into 16 bits. */
  readonly codes: Uint8Array;
  /** A float16. */
  readonly step: number;
  /** A whole number from 0 to 126. */
  readonly zero: number;
}

const steps = 126;
const largestCode = 127;
const smallestStep = 2 ** -24;

/**
 * Rounds the values of a table to 7-bit integers over their range, which zero is counted among:
 * `lo = min(v, 0)`, `hi = max(v, 0)`, `step = (hi − lo)/126` in float16, `zero = rne(−lo/step)`,
 * `code = clip(rne(v/step) + zero, 0, 127)`.
 */
export function roundTable(values: Float32Array): RoundedTable {
  let [low, high] = [0, 0];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const range = halfBitsToFloat(floatToHalfBits((high - low) / steps));
  const step = Math.max(range, smallestStep);
  const zero = Math.min(roundHalfEven(-low / step), steps);
  const codes = Uint8Array.from(values, (value) =>
    Math.min(Math.max(roundHalfEven(value / step) + zero, 0), largestCode),
  );
  return { codes, step, zero };
}
