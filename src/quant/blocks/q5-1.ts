import { defineBlockFormat, oneGroup, packNibbles, unpackNibbles } from "./block-bytes.ts";
import { addFifthBits, packFifthBits } from "./fifth-bits.ts";

/**
 * Q5_1, 6 bits a weight: `d·c + m`.
 *
 *     byte   0   2   4             8                          24
 *            ├ d ┼ m ┼ fifth bits ─┼ lower bits, 16 bytes ────┤
 *
 * Byte i of the lower bits: code i in the low nibble, code i + 16 in the high one. Bit i of the
 * fifth bits, a 32-bit integer: the highest bit of code i.
 */
export const q5_1 = defineBlockFormat({
  id: "q5_1",
  bits: 5,
  columns: 32,
  bytes: 24,
  scaleAt: 0,
  offsetAt: 2,
  groupColumns: 32,
  levels: 32,
  origin: 0,
  step: 1,
  offset: "added",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => {
    unpackNibbles(bytes, at + 8, 16, codes, to);
    addFifthBits(bytes, at + 4, codes, to);
  },
  packBlock: (codes, from, _scales, _block, bytes, at) => {
    packNibbles(codes, from, 16, bytes, at + 8);
    packFifthBits(codes, from, bytes, at + 4);
  },
});
