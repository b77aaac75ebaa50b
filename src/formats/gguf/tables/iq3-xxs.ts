import { readHalf, readU32 } from "./block-fields.ts";
import { evenSigns, iq3XxsGrid, writeSignedPoint } from "./grids.ts";

/**
 * IQ3_XXS, 256 columns: `d·(s + ½)/2` times signed points of four coordinates; 8 groups of 32
 * columns with 4-bit s.
 *
 *     byte   0   2                         66                       98
 *            ├ d ┼ 64 indices of 8 bits ───┼ 8 groups of 32 bits ───┤
 *
 *     group: 4 times 7 signs from the lowest bit on, each for two points, and s
 */
export function decodeIq3Xxs(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const grid = iq3XxsGrid();
  const d = readHalf(bytes, at);
  for (let k = 0; k < 64; k++) {
    const word = readU32(bytes, at + 66 + 4 * (k >> 3));
    const scale = (d * ((word >>> 28) + 0.5)) / 2;
    const signs = evenSigns((word >>> (7 * ((k >> 1) & 3))) & 127) >> (4 * (k & 1));
    writeSignedPoint(grid, bytes[at + 2 + k], scale, signs, out, to + 4 * k);
  }
}
