/** A positive factor as integers: `M = multiplier · 2^(−31 − shift)`. */
export interface FixedPoint {
  /** In [2^30, 2^31); 0 stands for the factor 0. */
  readonly multiplier: number;
  /** Bits to the right; negative to the left. */
  readonly shift: number;
}

const smallestShift = -30;
const largestProductShift = 62;

/**
 * Writes a factor as `M = 2^(−n)·M0`, M0 in [½, 1) as a Q31 integer (arXiv 1712.05877, equation 6).
 * The shift stays within `largest`, which is 31 or 62: factors below 2^(−1 − largest) become 0.
 * @throws RangeError for negative factors and those of 2^30 or more
 */
export function toFixedPoint(factor: number, largest: 31 | 62 = 31): FixedPoint {
  if (!(factor >= 0 && factor < 2 ** 30)) {
    throw new RangeError(`expected a factor from 0 to 2^30, got ${factor}`);
  }
  if (factor < 2 ** (-1 - largest)) return { multiplier: 0, shift: 0 };
  let shift = -Math.floor(Math.log2(factor)) - 1;
  if (factor * 2 ** shift >= 1) shift--;
  if (factor * 2 ** shift < 0.5) shift++;
  let multiplier = Math.round(factor * 2 ** (shift + 31));
  if (multiplier === 2 ** 31) {
    multiplier /= 2;
    shift--;
  }
  return { multiplier, shift: Math.min(Math.max(shift, smallestShift), largest) };
}

/**
 * Multiplies an int32 by a factor in fixed point: a saturating shift to the left where the shift is
 * negative, the rounded high half of the doubled product, a shift to the right that rounds half
 * away from zero. The integer arithmetic of gemmlowp, without 64-bit integers.
 */
export function multiplyFixedPoint(value: number, { multiplier, shift }: FixedPoint): number {
  return scaleInteger(value, multiplier, shift);
}

/** The same, of a factor in its two parts: for loops. */
export function scaleInteger(value: number, multiplier: number, shift: number): number {
  const shifted = shift < 0 ? saturate(value * 2 ** -shift) : value;
  return divideByPowerOfTwo(doublingHighMultiply(shifted, multiplier), Math.max(shift, 0));
}

/**
 * Returns the product of two factors, its multiplier in [2^29, 2^31) or 0: the rounded high half of
 * the doubled product of the multipliers, the shifts added and kept from −30 to 62.
 */
export function multiplyFactors(a: FixedPoint, b: FixedPoint): FixedPoint {
  const shift = Math.min(Math.max(a.shift + b.shift, smallestShift), largestProductShift);
  return { multiplier: doublingHighMultiply(a.multiplier, b.multiplier), shift };
}

/**
 * Writes an integer from 0 to 2^53 − 1 as a factor; bits beyond the 31st are cut off, so that the
 * relative error is below 2^−30.
 */
export function integerFactor(value: number): FixedPoint {
  if (value === 0) return { multiplier: 0, shift: 0 };
  const length = bitLength(value);
  const multiplier =
    length <= 31 ? value * 2 ** (31 - length) : Math.floor(value / 2 ** (length - 31));
  return { multiplier, shift: -length };
}

/** Number of bits of an integer from 0 to 2^53 − 1: 0 for 0, 3 for 4. */
export function bitLength(value: number): number {
  const high = Math.floor(value / 2 ** 32);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(value);
}

/** Divides by 2^bits, halves up: an arithmetic shift to the right of value + 2^(bits − 1). */
export function shiftRight(value: number, bits: number): number {
  return bits === 0 ? value : Math.floor((value + 2 ** (bits - 1)) / 2 ** bits);
}

/** Clips to the range of int32. */
export function saturate(value: number): number {
  return Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1);
}

/**
 * `trunc((a·b + nudge)/2^31)` of an int32 and a multiplier b ≥ 0, nudge = 2^30 where a·b ≥ 0, else
 * 1 − 2^30. The product of 62 bits is taken in halves of b, each of which a double holds exactly.
 */
function doublingHighMultiply(a: number, b: number): number {
  const magnitude = Math.abs(a);
  const high = magnitude * Math.floor(b / 65536);
  const low = magnitude * (b % 65536) + (a < 0 ? 2 ** 30 - 1 : 2 ** 30);
  const result = Math.floor((high + Math.floor(low / 65536)) / 32768);
  return a < 0 ? 0 - result : result;
}

/** Divides by 2^exponent, halves away from zero. */
function divideByPowerOfTwo(value: number, exponent: number): number {
  const magnitude = Math.floor((Math.abs(value) + 2 ** exponent / 2) / 2 ** exponent);
  return value < 0 ? 0 - magnitude : magnitude;
}
