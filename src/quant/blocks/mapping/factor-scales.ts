import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";

/** Numbers as multiples of one float16. */
export interface FactoredScales {
  /** The float16, as bits. */
  readonly scale: number;
  /** What each number is a multiple by. */
  readonly factors: readonly number[];
  /** Whether the products are the numbers; otherwise only the float16 was rounded. */
  readonly exact: boolean;
}

/**
 * Writes numbers as products of one float16 and integers from `low` to `high`: their greatest
 * common divisor, or the largest part of it that a float16 holds. Null where the integers do not
 * reach.
 */
export function factorScales(
  values: readonly number[],
  low: number,
  high: number,
): FactoredScales | null {
  const divisor = values.reduce(greatestCommonDivisor, 0);
  if (divisor === 0) return { scale: 0, factors: values.map(() => 0), exact: true };
  const signs = low < 0 ? [1, -1] : [Math.sign(values.find((value) => value !== 0) ?? 1)];
  let best: { readonly error: number; readonly found: FactoredScales } | null = null;
  for (const sign of signs) {
    const smallest = values.map((value) => (sign * value) / divisor);
    for (let parts = 1; ; parts++) {
      const factors = smallest.map((factor) => factor * parts);
      if (factors.some((factor) => factor < low || factor > high)) break;
      const scale = floatToHalfBits((sign * divisor) / parts);
      const error = Math.abs(sign * halfBitsToFloat(scale) * parts - divisor);
      if (best && error >= best.error) continue;
      best = { error, found: { scale, factors, exact: error === 0 } };
      if (error === 0) return best.found;
    }
  }
  return best?.found ?? null;
}

/** Euclid's algorithm on numbers that are multiples of a power of two; remainders are exact. */
function greatestCommonDivisor(a: number, b: number): number {
  let [larger, smaller] = [Math.abs(a), Math.abs(b)];
  while (smaller > 0) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}
