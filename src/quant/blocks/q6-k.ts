import { defineBlockFormat } from "./block-bytes.ts";

/**
 * Q6_K, 6.5625 bits a weight: `d·s·(c − 32)`, 16 groups of 16 columns with s of −128 … 127.
 *
 *     byte   0                       128                       192              208 210
 *            ├ lower four bits, 128 ─┼ upper two bits, 64 ─────┼ s, 16 bytes ───┼ d ┤
 *
 * Each 128 codes have 64 bytes of lower and 32 of upper bits:
 *
 *     byte                   bits 7 … 4       bits 3 … 0
 *     l of the lower         code l + 64      code l             l = 0 … 31
 *     l + 32 of the lower    code l + 96      code l + 32
 *
 *     byte                   bits 7 6      5 4       3 2       1 0
 *     l of the upper         code l + 96   l + 64    l + 32    l
 */
export const q6_k = defineBlockFormat({
  id: "q6_k",
  bits: 6,
  columns: 256,
  bytes: 210,
  scaleAt: 208,
  offsetAt: null,
  groupColumns: 16,
  levels: 64,
  origin: -32,
  step: 1,
  offset: "none",
  subScaleRange: [-128, 127],
  largestSubOffset: null,
  unpackBlock: (bytes, at, codes, to, { subScales }, block) => {
    for (let half = 0; half < 2; half++) {
      const lower = at + 64 * half;
      const first = to + 128 * half;
      for (let l = 0; l < 32; l++) {
        const low = bytes[lower + l];
        const next = bytes[lower + 32 + l];
        const upper = bytes[at + 128 + 32 * half + l];
        codes[first + l] = (low & 15) | ((upper & 3) << 4);
        codes[first + 32 + l] = (next & 15) | ((upper & 12) << 2);
        codes[first + 64 + l] = (low >> 4) | (upper & 48);
        codes[first + 96 + l] = (next >> 4) | ((upper & 192) >> 2);
      }
    }
    if (!subScales) return;
    for (let group = 0; group < 16; group++)
      subScales[16 * block + group] = bytes[at + 192 + group];
  },
  packBlock: (codes, from, { subScales }, block, bytes, at) => {
    for (let half = 0; half < 2; half++) {
      const lower = at + 64 * half;
      const first = from + 128 * half;
      for (let l = 0; l < 32; l++) {
        const [a, b] = [codes[first + l], codes[first + 32 + l]];
        const [c, d] = [codes[first + 64 + l], codes[first + 96 + l]];
        bytes[lower + l] = (a & 15) | ((c & 15) << 4);
        bytes[lower + 32 + l] = (b & 15) | ((d & 15) << 4);
        const upper = (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((d >> 4) << 6);
        bytes[at + 128 + 32 * half + l] = upper;
      }
    }
    if (!subScales) return;
    for (let group = 0; group < 16; group++)
      bytes[at + 192 + group] = subScales[16 * block + group];
  },
});
