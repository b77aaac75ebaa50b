import { defineBlockFormat, oneGroup } from "./block-bytes.ts";
import { packTwoBitPlanes, unpackTwoBitPlanes } from "./two-bit-planes.ts";

/**
 * TQ2_0, 2.0625 bits a weight: `d·(c − 1)`, c of 0, 1, 2.
 *
 *     byte   0                    64  66
 *            ├ codes, 64 bytes ───┼ d ┤
 *
 * The codes lie in `two-bit-planes.ts`. No quantizer writes the fourth value that two bits hold; a
 * file that has it is decoded as it is written, to 2·d.
 */
export const tq2_0 = defineBlockFormat({
  id: "tq2_0",
  bits: 1.58,
  columns: 256,
  bytes: 66,
  scaleAt: 64,
  offsetAt: null,
  groupColumns: 256,
  levels: 3,
  origin: -1,
  step: 1,
  offset: "none",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => unpackTwoBitPlanes(bytes, at, codes, to),
  packBlock: (codes, from, _scales, _block, bytes, at) => packTwoBitPlanes(codes, from, bytes, at),
});
