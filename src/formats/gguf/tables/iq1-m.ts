import { halfBitsToFloat } from "../../../util/half.ts";
import { readNibble, readU16 } from "./block-fields.ts";
import { iq1Grid, writeShiftedPoint } from "./grids.ts";
import { iq1Delta } from "./iq1-s.ts";

/**
 * IQ1_M, 256 columns: `d·(2·s + 1)` times points of eight coordinates −1, 0, 1, all shifted by ⅛ up
 * or down; 16 groups of 16 columns with 3-bit s.
 *
 *     byte   0                32                          48                       56
 *            ├ indices, 32 ───┼ 32 points of 4 bits ──────┼ 4 times 16 bits ───────┤
 *
 *     point: 3 upper bits of the index, and 1 where it is shifted down
 *     16 bits: s of four groups from the lowest bit on, and 4 bits of d
 */
export function decodeIq1M(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const grid = iq1Grid();
  let bits = 0;
  for (let i = 0; i < 4; i++) bits |= (readU16(bytes, at + 48 + 2 * i) >> 12) << (4 * i);
  const d = halfBitsToFloat(bits);
  for (let k = 0; k < 32; k++) {
    const group = k >> 1;
    const s = (readU16(bytes, at + 48 + 2 * (group >> 2)) >> (3 * (group & 3))) & 7;
    const point = readNibble(bytes, at + 32, k);
    const delta = point & 8 ? -iq1Delta : iq1Delta;
    const index = bytes[at + k] | ((point & 7) << 8);
    writeShiftedPoint(grid, index, d * (2 * s + 1), delta, out, to + 8 * k);
  }
}
