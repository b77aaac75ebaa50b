import { defineBlockFormat, packNibbles, unpackNibbles } from "./block-bytes.ts";
import { packSixBitScales, unpackSixBitScales } from "./six-bit-scales.ts";

/**
 * Q5_K, 5.5 bits a weight: `d·s·c − dmin·m`, 8 groups of 32 columns with 6-bit s and m.
 *
 *     byte   0   2      4                 16                   48                    176
 *            ├ d ┼ dmin ┼ s, m, 12 bytes ─┼ fifth bits, 32 ────┼ lower bits, 128 ────┤
 *
 * Each 32 bytes of the lower bits hold two groups: the first in the low nibbles, the second in the
 * high. Bit g of byte l of the fifth bits: the highest bit of code l of group g.
 */
export const q5_k = defineBlockFormat({
  id: "q5_k",
  bits: 5,
  columns: 256,
  bytes: 176,
  scaleAt: 0,
  offsetAt: 2,
  groupColumns: 32,
  levels: 32,
  origin: 0,
  step: 1,
  offset: "subtracted",
  subScaleRange: [0, 63],
  largestSubOffset: 63,
  unpackBlock: (bytes, at, codes, to, scales, block) => {
    unpackSixBitScales(bytes, at + 4, scales, block);
    for (let run = 0; run < 4; run++) {
      unpackNibbles(bytes, at + 48 + 32 * run, 32, codes, to + 64 * run);
    }
    for (let l = 0; l < 32; l++) {
      const fifth = bytes[at + 16 + l];
      for (let group = 0; group < 8; group++) {
        codes[to + 32 * group + l] |= ((fifth >> group) & 1) << 4;
      }
    }
  },
  packBlock: (codes, from, scales, block, bytes, at) => {
    packSixBitScales(scales, block, bytes, at + 4);
    for (let run = 0; run < 4; run++) {
      packNibbles(codes, from + 64 * run, 32, bytes, at + 48 + 32 * run);
    }
    for (let l = 0; l < 32; l++) {
      let fifth = 0;
      for (let group = 0; group < 8; group++) {
        fifth |= (codes[from + 32 * group + l] >> 4) << group;
      }
      bytes[at + 16 + l] = fifth;
    }
  },
});
