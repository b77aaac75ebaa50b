import { defineBlockFormat, oneGroup } from "./block-bytes.ts";

/**
 * TQ1_0, 1.6875 bits a weight: `d·(c − 1)`, c of 0, 1, 2.
 *
 *     byte   0                       48           52  54
 *            ├ five codes a byte, 48 ┼ four each ─┼ d ┤
 *
 *     byte m          codes m, m + 32, …, m + 128              m = 0 … 31
 *     byte 32 + m     codes 160 + m, 176 + m, …, 224 + m       m = 0 … 15
 *     byte 48 + m     codes 240 + m, 244 + m, …, 252 + m       m = 0 … 3
 *
 * Codes t₀ … t₄ are the digits after the point of `v/243`, `v = 81·t₀ + 27·t₁ + 9·t₂ + 3·t₃ + t₄`
 * (t₄ = 0 where there are four): the byte is ⌈256·v/243⌉, and multiplying by 3 brings out one
 * digit after the other. Bytes that no codes give have digits all the same.
 */
export const tq1_0 = defineBlockFormat({
  id: "tq1_0",
  bits: 1.58,
  columns: 256,
  bytes: 54,
  scaleAt: 52,
  offsetAt: null,
  groupColumns: 256,
  levels: 3,
  origin: -1,
  step: 1,
  offset: "none",
  ...oneGroup,
  unpackBlock: (bytes, at, codes, to) => {
    for (const { byte, count, first, apart, digits } of runs) {
      for (let m = 0; m < count; m++) {
        let rest = bytes[at + byte + m];
        for (let n = 0; n < digits; n++) {
          rest *= 3;
          codes[to + first + apart * n + m] = rest >> 8;
          rest &= 255;
        }
      }
    }
  },
  packBlock: (codes, from, _scales, _block, bytes, at) => {
    for (const { byte, count, first, apart, digits } of runs) {
      for (let m = 0; m < count; m++) {
        let v = 0;
        for (let n = 0; n < 5; n++)
          v = 3 * v + (n < digits ? codes[from + first + apart * n + m] : 0);
        bytes[at + byte + m] = Math.ceil((256 * v) / 243);
      }
    }
  },
});

/** Bytes of one kind: their place and number, and which codes they hold. */
const runs = [
  { byte: 0, count: 32, first: 0, apart: 32, digits: 5 },
  { byte: 32, count: 16, first: 160, apart: 16, digits: 5 },
  { byte: 48, count: 4, first: 240, apart: 4, digits: 4 },
] as const;
