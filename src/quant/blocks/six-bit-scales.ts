import type { BlockScales } from "./block-format.ts";

/*
 * The 12 bytes in which Q4_K and Q5_K hold eight 6-bit sub-scales s and eight 6-bit sub-offsets m:
 *
 *     byte    bits 7 6       bits 5 4 3 2 1 0
 *     j       s[j+4] 5 4     s[j]                  j = 0 … 3
 *     j + 4   m[j+4] 5 4     m[j]
 *
 *     byte    bits 7 6 5 4     bits 3 2 1 0
 *     j + 8   m[j+4] 3 2 1 0   s[j+4] 3 2 1 0
 */

/** Takes the sub-scales and sub-offsets of a block apart. */
export function unpackSixBitScales(
  bytes: Uint8Array,
  at: number,
  { subScales, subOffsets }: BlockScales,
  block: number,
): void {
  if (!subScales || !subOffsets) return;
  const to = block * 8;
  for (let j = 0; j < 4; j++) {
    const scale = bytes[at + j];
    const offset = bytes[at + 4 + j];
    const low = bytes[at + 8 + j];
    subScales[to + j] = scale & 63;
    subOffsets[to + j] = offset & 63;
    subScales[to + 4 + j] = (low & 15) | ((scale >> 6) << 4);
    subOffsets[to + 4 + j] = (low >> 4) | ((offset >> 6) << 4);
  }
}

/** The reverse of `unpackSixBitScales`. */
export function packSixBitScales(
  { subScales, subOffsets }: BlockScales,
  block: number,
  bytes: Uint8Array,
  at: number,
): void {
  if (!subScales || !subOffsets) return;
  const from = block * 8;
  for (let j = 0; j < 4; j++) {
    const scale = subScales[from + 4 + j];
    const offset = subOffsets[from + 4 + j];
    bytes[at + j] = subScales[from + j] | ((scale >> 4) << 6);
    bytes[at + 4 + j] = subOffsets[from + j] | ((offset >> 4) << 6);
    bytes[at + 8 + j] = (scale & 15) | ((offset & 15) << 4);
  }
}
