import { readHalf, readNibble, readU16 } from "./block-fields.ts";
import { iq4Codebook } from "./iq4-nl.ts";
import { decodeNibbles } from "./nibble-codebook.ts";

/**
 * IQ4_XS, 256 columns: `d·(s − 32)·codebook[c]`, 8 groups of 32 columns with 6-bit s.
 *
 *     byte   0   2               4               8                       136
 *            ├ d ┼ upper of s, 2 ┼ lower of s, 4 ┼ codes, 128 bytes ─────┤
 *
 * Each group has a nibble of the lower and two bits of the upper, and 16 bytes of codes as IQ4_NL.
 */
export function decodeIq4Xs(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = readHalf(bytes, at);
  const upper = readU16(bytes, at + 2);
  for (let group = 0; group < 8; group++) {
    const s = readNibble(bytes, at + 4, group) | (((upper >> (2 * group)) & 3) << 4);
    const scale = d * (s - 32);
    decodeNibbles(iq4Codebook, scale, bytes, at + 8 + 16 * group, 16, out, to + 32 * group);
  }
}
