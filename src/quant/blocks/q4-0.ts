import { defineBlockFormat, oneGroup, packNibbles, unpackNibbles } from "./block-bytes.ts";

/**
 * Q4_0, 4.5 bits a weight: `d·(c − 8)`.
 *
 *     byte   0   2                    18
 *            ├ d ┼ codes, 16 bytes ───┤
 *
 * Byte i of the codes: code i in the low nibble, code i + 16 in the high one.
 */
export const q4_0 = defineBlockFormat({
  id: "q4_0",
  bits: 4,
  columns: 32,
  bytes: 18,
  scaleAt: 0,
  offsetAt: null,
  groupColumns: 32,
  levels: 16,
  origin: -8,
  step: 1,
  offset: "none",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => unpackNibbles(bytes, at + 2, 16, codes, to),
  packBlock: (codes, from, _scales, _block, bytes, at) =>
    packNibbles(codes, from, 16, bytes, at + 2),
});
