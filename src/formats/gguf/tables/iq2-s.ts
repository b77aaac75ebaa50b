import { readHalf, readNibble } from "./block-fields.ts";
import { iq2SGrid, writeSignedPoint } from "./grids.ts";

/**
 * IQ2_S, 256 columns: `d·(s + ½)/4` times signed points of eight coordinates; 16 groups of 16
 * columns with 4-bit s.
 *
 *     byte   0   2                34          66                  74           82
 *            ├ d ┼ indices, 32 ───┼ signs, 32 ┼ upper indices, 8 ─┼ s, 8 bytes ┤
 *
 * Point k has byte k of the indices, bits 2k and 2k + 1 of the upper indices, and byte k of the
 * signs.
 */
export function decodeIq2S(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const grid = iq2SGrid();
  const d = readHalf(bytes, at);
  for (let k = 0; k < 32; k++) {
    const upper = (bytes[at + 66 + (k >> 2)] >> (2 * (k & 3))) & 3;
    const scale = (d * (readNibble(bytes, at + 74, k >> 1) + 0.5)) / 4;
    const index = bytes[at + 2 + k] | (upper << 8);
    writeSignedPoint(grid, index, scale, bytes[at + 34 + k], out, to + 8 * k);
  }
}
