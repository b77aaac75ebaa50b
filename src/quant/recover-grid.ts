import { floatToHalfBits, halfBitsToFloat } from "../util/half.ts";

/** Whole numbers of a scale that the values of a group are: from `low` to `high`. */
export interface GridRange {
  readonly low: number;
  readonly high: number;
}

/** The scale of a group of float weights, and the whole number of it that each of them is. */
export interface RecoveredGroup {
  /** float16 bits; may stand for a negative number. */
  readonly scale: number;
  readonly numbers: Int16Array;
}

/**
 * Finds the float16 scale s of which all weights of a group are whole numbers k from `low` to `high`,
 * rounded to the float type that they are stored in: `round(s·k) = w` for each. Nothing is fitted:
 * either all weights are on the grid, or there is null. Where several scales are, the one comes first
 * that gives the largest weight the number that is farthest from 0, the lowest before the highest, as
 * ggml's Q4_0 does.
 * @param round rounds to the float type
 * @param spacing largest relative distance of a float from what it was rounded from
 */
export function recoverGroup(
  weights: Float32Array,
  range: GridRange,
  round: (value: number) => number,
  spacing: number,
): RecoveredGroup | null {
  const numbers = new Int16Array(weights.length);
  const peak = weights.reduce((most, w) => (Math.abs(w) > Math.abs(most) ? w : most), 0);
  if (peak === 0) return { scale: 0, numbers };
  for (const scale of candidates(peak, range, spacing)) {
    if (fits(weights, halfBitsToFloat(scale), range, round, numbers)) return { scale, numbers };
  }
  return null;
}

/**
 * The least distance of a group from any grid of the range, in steps of it: how far the worst weight
 * is from the nearest whole number of the best scale.
 */
export function worstMiss(weights: Float32Array, range: GridRange, spacing: number): number {
  const peak = weights.reduce((most, w) => (Math.abs(w) > Math.abs(most) ? w : most), 0);
  let least = Number.POSITIVE_INFINITY;
  for (const bits of candidates(peak, range, spacing)) {
    const scale = halfBitsToFloat(bits);
    let worst = 0;
    for (const w of weights) {
      const number = Math.max(range.low, Math.min(range.high, Math.round(w / scale)));
      worst = Math.max(worst, Math.abs(w / scale - number));
    }
    least = Math.min(least, worst);
  }
  return least;
}

/** Scales that give the largest weight a whole number. */
function* candidates(peak: number, { low, high }: GridRange, spacing: number): Generator<number> {
  const most = Math.max(-low, high);
  for (let size = most; size >= 1; size--) {
    for (const number of [-size, size]) {
      if (number < low || number > high) continue;
      const [first, last] = [1 - spacing, 1 + spacing]
        .map((factor) => Math.abs((peak / number) * factor))
        .map(floatToHalfBits);
      const sign = peak / number < 0 ? 0x8000 : 0;
      for (let bits = first; bits <= last && bits < 0x7c00; bits++) if (bits > 0) yield sign | bits;
    }
  }
}

function fits(
  weights: Float32Array,
  scale: number,
  { low, high }: GridRange,
  round: (value: number) => number,
  numbers: Int16Array,
): boolean {
  for (let i = 0; i < weights.length; i++) {
    const number = Math.round(weights[i] / scale);
    if (number < low || number > high || round(scale * number) !== weights[i] + 0) return false;
    numbers[i] = number;
  }
  return true;
}
