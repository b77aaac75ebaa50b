import { defineBlockFormat, oneGroup } from "./block-bytes.ts";

/**
 * Q1_0, 1.125 bits a weight: −d where the bit is 0, +d where it is 1.
 *
 *     byte   0   2                    18
 *            ├ d ┼ codes, 16 bytes ───┤
 *
 * Bit i % 8 of byte ⌊i / 8⌋ of the codes is code i.
 */
export const q1_0 = defineBlockFormat({
  id: "q1_0",
  bits: 1,
  columns: 128,
  bytes: 18,
  scaleAt: 0,
  offsetAt: null,
  groupColumns: 128,
  levels: 2,
  origin: -1,
  step: 2,
  offset: "none",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => {
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 2 + i];
      for (let bit = 0; bit < 8; bit++) codes[to + 8 * i + bit] = (byte >> bit) & 1;
    }
  },
  packBlock: (codes, from, _scales, _block, bytes, at) => {
    for (let i = 0; i < 16; i++) {
      let byte = 0;
      for (let bit = 0; bit < 8; bit++) byte |= codes[from + 8 * i + bit] << bit;
      bytes[at + 2 + i] = byte;
    }
  },
});
