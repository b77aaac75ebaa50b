import { defineBlockFormat, oneGroup, packNibbles, unpackNibbles } from "./block-bytes.ts";
import { addFifthBits, packFifthBits } from "./fifth-bits.ts";

/**
 * Q5_0, 5.5 bits a weight: `d·(c − 16)`.
 *
 *     byte   0   2             6                          22
 *            ├ d ┼ fifth bits ─┼ lower bits, 16 bytes ────┤
 *
 * Byte i of the lower bits: code i in the low nibble, code i + 16 in the high one. Bit i of the
 * fifth bits, a 32-bit integer: the highest bit of code i.
 */
export const q5_0 = defineBlockFormat({
  id: "q5_0",
  bits: 5,
  columns: 32,
  bytes: 22,
  scaleAt: 0,
  offsetAt: null,
  groupColumns: 32,
  levels: 32,
  origin: -16,
  step: 1,
  offset: "none",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => {
    unpackNibbles(bytes, at + 6, 16, codes, to);
    addFifthBits(bytes, at + 2, codes, to);
  },
  packBlock: (codes, from, _scales, _block, bytes, at) => {
    packNibbles(codes, from, 16, bytes, at + 6);
    packFifthBits(codes, from, bytes, at + 2);
  },
});
