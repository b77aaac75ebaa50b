import { defineBlockFormat } from "./block-bytes.ts";
import { packTwoBitPlanes, unpackTwoBitPlanes } from "./two-bit-planes.ts";

/**
 * Q3_K, 3.4375 bits a weight: `d·s·(c − 4)`, 16 groups of 16 columns with s of −32 … 31.
 *
 *     byte   0                     32                        96               108 110
 *            ├ highest bits, 32 ───┼ lower bits, 64 bytes ───┼ s, 12 bytes ───┼ d ┤
 *
 * The lower two bits lie in `two-bit-planes.ts`. Bit k of byte l of the highest bits belongs to
 * code 32k + l. S = s + 32 has 6 bits:
 *
 *     byte     bits 7 6 5 4        bits 3 2 1 0
 *     96 + g   S[g+8] 3 2 1 0      S[g] 3 2 1 0       g = 0 … 7
 *
 *     byte     bits 7 6            5 4              3 2             1 0
 *     104 + g  S[g+12] 5 4         S[g+8] 5 4       S[g+4] 5 4      S[g] 5 4       g = 0 … 3
 */
export const q3_k = defineBlockFormat({
  id: "q3_k",
  bits: 3,
  columns: 256,
  bytes: 110,
  scaleAt: 108,
  offsetAt: null,
  groupColumns: 16,
  levels: 8,
  origin: -4,
  step: 1,
  offset: "none",
  subScaleRange: [-32, 31],
  largestSubOffset: null,
  unpackBlock: (bytes, at, codes, to, { subScales }, block) => {
    unpackTwoBitPlanes(bytes, at + 32, codes, to);
    for (let l = 0; l < 32; l++) {
      const highest = bytes[at + l];
      for (let k = 0; k < 8; k++) codes[to + 32 * k + l] |= ((highest >> k) & 1) << 2;
    }
    if (!subScales) return;
    for (let group = 0; group < 16; group++) {
      const low = (bytes[at + 96 + (group & 7)] >> (4 * (group >> 3))) & 15;
      const high = (bytes[at + 104 + (group & 3)] >> (2 * (group >> 2))) & 3;
      subScales[16 * block + group] = (low | (high << 4)) - 32;
    }
  },
  packBlock: (codes, from, { subScales }, block, bytes, at) => {
    packTwoBitPlanes(codes, from, bytes, at + 32);
    for (let l = 0; l < 32; l++) {
      let highest = 0;
      for (let k = 0; k < 8; k++) highest |= (codes[from + 32 * k + l] >> 2) << k;
      bytes[at + l] = highest;
    }
    if (!subScales) return;
    bytes.fill(0, at + 96, at + 108);
    for (let group = 0; group < 16; group++) {
      const scale = subScales[16 * block + group] + 32;
      bytes[at + 96 + (group & 7)] |= (scale & 15) << (4 * (group >> 3));
      bytes[at + 104 + (group & 3)] |= (scale >> 4) << (2 * (group >> 2));
    }
  },
});
