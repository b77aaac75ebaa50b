import { roundHalfEven } from "./rounding.ts";

/**
 * Conversions between float32 and the 16-bit floats, on raw bit patterns (`Uint16Array`), with
 * round-to-nearest-even and subnormals. They do not rely on `Float16Array`, which Node 20 lacks.
 */

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** Rounds to the bits of the nearest float16 (ties to even, overflow to infinity). */
export function floatToHalfBits(value: number): number {
  floatView[0] = value;
  const bits = bitsView[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: the unit is 2^-24, so scaling by 2^24 leaves an integer to round.
    floatView[0] = value < 0 ? -value : value;
    return sign | roundHalfEven(floatView[0] * 16777216);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** Expands a float16 bit pattern to the number it stands for (exact). */
export function halfBitsToFloat(bits: number): number {
  return halfValues()[bits & 0xffff];
}

/** Rounds a float32 to the bit pattern of the nearest bfloat16 (ties to even). */
export function floatToBfloatBits(value: number): number {
  floatView[0] = value;
  const bits = bitsView[0];
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/**
 * Rounds a float32 to the bit pattern of a bfloat16: away from 0 where `added`, a number of 16 bits,
 * and the bits that are cut off come to a whole one. Infinite values and NaN stay.
 */
export function roundByBits(value: number, added: number): number {
  floatView[0] = value;
  const bits = bitsView[0];
  const isFinite = (bits & 0x7f800000) !== 0x7f800000;
  return ((bits + (isFinite ? added : 0)) >>> 16) & 0xffff;
}

/** Expands a bfloat16 bit pattern to the number it stands for (exact). */
export function bfloatBitsToFloat(bits: number): number {
  bitsView[0] = (bits << 16) >>> 0;
  return floatView[0];
}

let halfTable: Float32Array | undefined;

/** Returns the 65,536-entry table of all float16 values, made on first use. */
function halfValues(): Float32Array {
  if (halfTable) return halfTable;
  halfTable = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) halfTable[bits] = decodeHalf(bits);
  return halfTable;
}

function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Expands float16 bit patterns to float32. `out` may be given to avoid an allocation. */
export function halvesToFloats(
  bits: Uint16Array,
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const table = halfValues();
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]];
  return out;
}

/** Rounds float32 values to float16 bit patterns. */
export function floatsToHalves(
  values: ArrayLike<number>,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  for (let i = 0; i < values.length; i++) out[i] = floatToHalfBits(values[i]);
  return out;
}

/** Expands bfloat16 bit patterns to float32. */
export function bfloatsToFloats(
  bits: Uint16Array,
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] << 16) >>> 0;
  return out;
}

/** Rounds float32 values to bfloat16 bit patterns. */
export function floatsToBfloats(
  values: ArrayLike<number>,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  for (let i = 0; i < values.length; i++) out[i] = floatToBfloatBits(values[i]);
  return out;
}

/**
 * Counts NaN and infinite values among 16-bit floats: those whose exponent is all ones. `exponent`
 * has the bits of the exponent: 0x7c00 for float16, 0x7f80 for bfloat16.
 */
export function countNonFiniteBits(bits: Uint16Array, exponent: 0x7c00 | 0x7f80): number {
  let count = 0;
  // The count is several times slower than the test, and nearly always zero.
  if (areFiniteBits(bits, exponent)) return count;
  for (let i = 0; i < bits.length; i++) if ((bits[i] & exponent) === exponent) count++;
  return count;
}

/** Adds one to the exponents of two values at a time: those of ones, and only those, carry. */
function areFiniteBits(bits: Uint16Array, exponent: number): boolean {
  const mask = exponent * 0x10001;
  const one = (exponent & -exponent) * 0x10001;
  const carries = 0x80008000 | 0;
  const head = (bits.byteOffset / 2) % 2;
  const words = (bits.length - head) >> 1;
  let seen = 0;
  if (words > 0) {
    const pairs = new Uint32Array(bits.buffer, bits.byteOffset + head * 2, words);
    const whole = words - (words % 4);
    for (let i = 0; i < whole; i += 4) {
      const a = ((pairs[i] & mask) + one) | ((pairs[i + 1] & mask) + one);
      const b = ((pairs[i + 2] & mask) + one) | ((pairs[i + 3] & mask) + one);
      seen |= a | b;
    }
    for (let i = whole; i < words; i++) seen |= (pairs[i] & mask) + one;
  }
  const ends = [bits[0] ?? 0, bits[bits.length - 1] ?? 0];
  return (seen & carries) === 0 && ends.every((value) => (value & exponent) !== exponent);
}
