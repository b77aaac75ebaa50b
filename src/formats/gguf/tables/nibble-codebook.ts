/**
 * Decodes `count` bytes: values of the low nibbles to `count` places, those of the high nibbles to
 * the next `count`. `codebook` has 16 values in units of `scale`.
 */
export function decodeNibbles(
  codebook: readonly number[],
  scale: number,
  bytes: Uint8Array,
  at: number,
  count: number,
  out: Float32Array,
  to: number,
): void {
  for (let i = 0; i < count; i++) {
    const byte = bytes[at + i];
    out[to + i] = scale * codebook[byte & 15];
    out[to + count + i] = scale * codebook[byte >> 4];
  }
}

/** Twice the values of 4-bit floats of two exponent bits and one of the fraction; −0 is 0. */
export const doubledFloat4: readonly number[] = [
  0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
];
