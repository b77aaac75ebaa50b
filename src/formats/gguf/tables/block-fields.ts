import { halfBitsToFloat } from "../../../util/half.ts";

/** Reads a 16-bit integer, little-endian. */
export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

/** Reads a 32-bit integer, little-endian. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0;
}

/** Reads a float16. */
export function readHalf(bytes: Uint8Array, at: number): number {
  return halfBitsToFloat(readU16(bytes, at));
}

/** Reads the nibble `index` of a run of bytes, the low nibble of each byte first. */
export function readNibble(bytes: Uint8Array, at: number, index: number): number {
  return (bytes[at + (index >> 1)] >> (4 * (index & 1))) & 15;
}
