import { defineBlockFormat } from "./block-bytes.ts";
import { packTwoBitPlanes, unpackTwoBitPlanes } from "./two-bit-planes.ts";

/**
 * Q2_K, 2.625 bits a weight: `d·s·c − dmin·m`, 16 groups of 16 columns with 4-bit s and m.
 *
 *     byte   0                16                   80  82     84
 *            ├ s, m, 16 bytes ┼ codes, 64 bytes ───┼ d ┼ dmin ┤
 *
 * Byte g of the first 16: s of group g in the low nibble, m in the high one. The codes lie in
 * `two-bit-planes.ts`.
 */
export const q2_k = defineBlockFormat({
  id: "q2_k",
  bits: 2,
  columns: 256,
  bytes: 84,
  scaleAt: 80,
  offsetAt: 82,
  groupColumns: 16,
  levels: 4,
  origin: 0,
  step: 1,
  offset: "subtracted",
  subScaleRange: [0, 15],
  largestSubOffset: 15,
  unpackBlock: (bytes, at, codes, to, { subScales, subOffsets }, block) => {
    unpackTwoBitPlanes(bytes, at + 16, codes, to);
    if (!subScales || !subOffsets) return;
    for (let group = 0; group < 16; group++) {
      subScales[16 * block + group] = bytes[at + group] & 15;
      subOffsets[16 * block + group] = bytes[at + group] >> 4;
    }
  },
  packBlock: (codes, from, { subScales, subOffsets }, block, bytes, at) => {
    packTwoBitPlanes(codes, from, bytes, at + 16);
    if (!subScales || !subOffsets) return;
    for (let group = 0; group < 16; group++) {
      bytes[at + group] = subScales[16 * block + group] | (subOffsets[16 * block + group] << 4);
    }
  },
});
