import type { DType } from "./dtype.ts";

/*
 * Rows of d codes of four bits, -7 to 7, in ⌈d/2⌉ bytes of a u8 tensor: byte i holds code i + 8 in its
 * lower half and code ⌈d/2⌉ + i + 8 in its upper half; where there is none, 8.
 */

/** Elements that a row of `d` values takes in a cache of a dtype: with u8, two values in each. */
export function storedLength(dtype: DType, d: number): number {
  return dtype === "u8" ? Math.ceil(d / 2) : d;
}

/** Returns code `index` of the row of `d` codes that begins at `start`. */
export function fourBitCode(bytes: Uint8Array, start: number, index: number, d: number): number {
  const half = Math.ceil(d / 2);
  const byte = bytes[start + (index % half)];
  return (index < half ? byte & 15 : byte >> 4) - 8;
}

/** Writes the row of `codes` from `start` on. */
export function putFourBitCodes(bytes: Uint8Array, start: number, codes: ArrayLike<number>): void {
  const half = Math.ceil(codes.length / 2);
  for (let i = 0; i < half; i++) {
    const above = half + i < codes.length ? codes[half + i] : 0;
    bytes[start + i] = (codes[i] + 8) | ((above + 8) << 4);
  }
}
