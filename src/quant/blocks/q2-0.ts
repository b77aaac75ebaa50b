import { defineBlockFormat, oneGroup } from "./block-bytes.ts";

/**
 * Q2_0, 2.25 bits a weight: `d·(c − 1)`, so −d, 0, d and 2·d.
 *
 *     byte   0   2                    18
 *            ├ d ┼ codes, 16 bytes ───┤
 *
 * Byte i of the codes holds codes 4i … 4i + 3, the first in its lowest bits.
 */
export const q2_0 = defineBlockFormat({
  id: "q2_0",
  bits: 2,
  columns: 64,
  bytes: 18,
  scaleAt: 0,
  offsetAt: null,
  groupColumns: 64,
  levels: 4,
  origin: -1,
  step: 1,
  offset: "none",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => {
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 2 + i];
      for (let j = 0; j < 4; j++) codes[to + 4 * i + j] = (byte >> (2 * j)) & 3;
    }
  },
  packBlock: (codes, from, _scales, _block, bytes, at) => {
    for (let i = 0; i < 16; i++) {
      let byte = 0;
      for (let j = 0; j < 4; j++) byte |= codes[from + 4 * i + j] << (2 * j);
      bytes[at + 2 + i] = byte;
    }
  },
});
