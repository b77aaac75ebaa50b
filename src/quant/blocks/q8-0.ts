import { defineBlockFormat, oneGroup } from "./block-bytes.ts";

/**
 * Q8_0, 8.5 bits a weight: `d·(c − 128)`.
 *
 *     byte   0   2                      34
 *            ├ d ┼ integers, 32 bytes ──┤
 *
 * The file holds signed integers; a code is such an integer plus 128, which turns its highest bit.
 */
export const q8_0 = defineBlockFormat({
  id: "q8_0",
  bits: 8,
  columns: 32,
  bytes: 34,
  scaleAt: 0,
  offsetAt: null,
  groupColumns: 32,
  levels: 256,
  origin: -128,
  step: 1,
  offset: "none",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => {
    for (let i = 0; i < 32; i++) codes[to + i] = bytes[at + 2 + i] ^ 0x80;
  },
  packBlock: (codes, from, _scales, _block, bytes, at) => {
    for (let i = 0; i < 32; i++) bytes[at + 2 + i] = codes[from + i] ^ 0x80;
  },
});
