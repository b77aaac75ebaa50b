import { defineBlockFormat, oneGroup, packNibbles, unpackNibbles } from "./block-bytes.ts";

/**
 * Q4_1, 5 bits a weight: `d·c + m`.
 *
 *     byte   0   2   4                    20
 *            ├ d ┼ m ┼ codes, 16 bytes ───┤
 *
 * Byte i of the codes: code i in the low nibble, code i + 16 in the high one.
 */
export const q4_1 = defineBlockFormat({
  id: "q4_1",
  bits: 4,
  columns: 32,
  bytes: 20,
  scaleAt: 0,
  offsetAt: 2,
  groupColumns: 32,
  levels: 16,
  origin: 0,
  step: 1,
  offset: "added",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => unpackNibbles(bytes, at + 4, 16, codes, to),
  packBlock: (codes, from, _scales, _block, bytes, at) =>
    packNibbles(codes, from, 16, bytes, at + 4),
});
