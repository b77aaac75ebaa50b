import { readHalf, readU16 } from "./block-fields.ts";
import { iq1Grid, writeShiftedPoint } from "./grids.ts";

/** How far the values of IQ1_S and IQ1_M lie beside −1, 0 and 1, in units of the scale. */
export const iq1Delta = 1 / 8;

/**
 * IQ1_S, 256 columns: `d·(2·s + 1)` times points of eight coordinates −1, 0, 1, all shifted by ⅛ up
 * or down; 8 groups of 32 columns with 3-bit s.
 *
 *     byte   0   2                34                        50
 *            ├ d ┼ indices, 32 ───┼ 8 groups of 16 bits ────┤
 *
 *     group: 4 times 3 upper bits of indices from the lowest bit on, s, and 1 where it is shifted down
 */
export function decodeIq1S(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const grid = iq1Grid();
  const d = readHalf(bytes, at);
  for (let k = 0; k < 32; k++) {
    const group = readU16(bytes, at + 34 + 2 * (k >> 2));
    const scale = d * (2 * ((group >> 12) & 7) + 1);
    const delta = group & 0x8000 ? -iq1Delta : iq1Delta;
    const index = bytes[at + 2 + k] | (((group >> (3 * (k & 3))) & 7) << 8);
    writeShiftedPoint(grid, index, scale, delta, out, to + 8 * k);
  }
}
