import { decodeNibbles, doubledFloat4 } from "./nibble-codebook.ts";

/**
 * NVFP4, 64 columns: 4-bit floats times an 8-bit float for each 16.
 *
 *     byte   0             4                    36
 *            ├ 4 scales ───┼ codes, 32 bytes ───┤
 *
 * A group has 8 bytes of codes: code i in the low nibble, code i + 8 in the high one.
 */
export function decodeNvfp4(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  for (let group = 0; group < 4; group++) {
    const half = readFloat8(bytes[at + group]) / 2;
    decodeNibbles(doubledFloat4, half, bytes, at + 4 + 8 * group, 8, out, to + 16 * group);
  }
}

/** An unsigned float of four exponent bits and three of the fraction; its NaN counts as 0. */
function readFloat8(bits: number): number {
  if (bits === 0x7f) return 0;
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  return exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7);
}
