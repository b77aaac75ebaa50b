import { readHalf, readNibble, readU16 } from "./block-fields.ts";
import { evenSigns, iq2XsGrid, writeSignedPoint } from "./grids.ts";

/**
 * IQ2_XS, 256 columns: `d·(s + ½)/4` times signed points of eight coordinates; 16 groups of 16
 * columns with 4-bit s.
 *
 *     byte   0   2                          66           74
 *            ├ d ┼ 32 points of 16 bits ────┼ s, 8 bytes ┤
 *
 *     point: index in the lower 9 bits, 7 signs in the upper
 */
export function decodeIq2Xs(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const grid = iq2XsGrid();
  const d = readHalf(bytes, at);
  for (let k = 0; k < 32; k++) {
    const point = readU16(bytes, at + 2 + 2 * k);
    const scale = (d * (readNibble(bytes, at + 66, k >> 1) + 0.5)) / 4;
    writeSignedPoint(grid, point & 511, scale, evenSigns(point >> 9), out, to + 8 * k);
  }
}
