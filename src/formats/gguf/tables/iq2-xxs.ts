import { readHalf, readU32 } from "./block-fields.ts";
import { evenSigns, iq2XxsGrid, writeSignedPoint } from "./grids.ts";

/**
 * IQ2_XXS, 256 columns: `d·(s + ½)/4` times signed points of eight coordinates; 8 groups of 32
 * columns with 4-bit s.
 *
 *     byte   0   2                                        66
 *            ├ d ┼ 8 groups of 8 bytes ───────────────────┤
 *
 *     group: 4 indices of 8 bits, then 32 bits: 4 times 7 signs from the lowest bit on, and s
 */
export function decodeIq2Xxs(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const grid = iq2XxsGrid();
  const d = readHalf(bytes, at);
  for (let group = 0; group < 8; group++) {
    const start = at + 2 + 8 * group;
    const word = readU32(bytes, start + 4);
    const scale = (d * ((word >>> 28) + 0.5)) / 4;
    for (let k = 0; k < 4; k++) {
      const signs = evenSigns((word >>> (7 * k)) & 127);
      writeSignedPoint(grid, bytes[start + k], scale, signs, out, to + 32 * group + 8 * k);
    }
  }
}
