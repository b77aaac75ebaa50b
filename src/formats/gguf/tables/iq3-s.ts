import { readHalf, readNibble } from "./block-fields.ts";
import { iq3SGrid, writeSignedPoint } from "./grids.ts";

/**
 * IQ3_S, 256 columns: `d·(1 + 2·s)` times signed points of four coordinates; 8 groups of 32 columns
 * with 4-bit s.
 *
 *     byte   0   2                66                 74          106          110
 *            ├ d ┼ indices, 64 ───┼ upper indices, 8 ┼ signs, 32 ┼ s, 4 bytes ┤
 *
 * Point k has byte k of the indices, bit k of the upper indices, and four bits of the signs.
 */
export function decodeIq3S(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const grid = iq3SGrid();
  const d = readHalf(bytes, at);
  for (let k = 0; k < 64; k++) {
    const upper = (bytes[at + 66 + (k >> 3)] >> (k & 7)) & 1;
    const scale = d * (1 + 2 * readNibble(bytes, at + 106, k >> 3));
    const index = bytes[at + 2 + k] | (upper << 8);
    writeSignedPoint(grid, index, scale, readNibble(bytes, at + 74, k), out, to + 4 * k);
  }
}
