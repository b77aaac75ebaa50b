import { defineBlockFormat, packNibbles, unpackNibbles } from "./block-bytes.ts";
import { packSixBitScales, unpackSixBitScales } from "./six-bit-scales.ts";

/**
 * Q4_K, 4.5 bits a weight: `d·s·c − dmin·m`, 8 groups of 32 columns with 6-bit s and m.
 *
 *     byte   0   2      4                  16                     144
 *            ├ d ┼ dmin ┼ s, m, 12 bytes ──┼ codes, 128 bytes ────┤
 *
 * Each 32 bytes of the codes hold two groups: the first in the low nibbles, the second in the high.
 */
export const q4_k = defineBlockFormat({
  id: "q4_k",
  bits: 4,
  columns: 256,
  bytes: 144,
  scaleAt: 0,
  offsetAt: 2,
  groupColumns: 32,
  levels: 16,
  origin: 0,
  step: 1,
  offset: "subtracted",
  subScaleRange: [0, 63],
  largestSubOffset: 63,
  unpackBlock: (bytes, at, codes, to, scales, block) => {
    unpackSixBitScales(bytes, at + 4, scales, block);
    for (let run = 0; run < 4; run++) {
      unpackNibbles(bytes, at + 16 + 32 * run, 32, codes, to + 64 * run);
    }
  },
  packBlock: (codes, from, scales, block, bytes, at) => {
    packSixBitScales(scales, block, bytes, at + 4);
    for (let run = 0; run < 4; run++) {
      packNibbles(codes, from + 64 * run, 32, bytes, at + 16 + 32 * run);
    }
  },
});
