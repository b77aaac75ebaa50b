/*
 * The 64 bytes in which Q2_K, Q3_K and TQ2_0 hold two bits of each of 256 codes:
 *
 *     byte      bits 7 6        5 4        3 2        1 0
 *     l         code l + 96     l + 64     l + 32     l             l = 0 … 31
 *     l + 32    code l + 224    l + 192    l + 160    l + 128
 */

/** Takes the two bits of 256 codes. */
export function unpackTwoBitPlanes(
  bytes: Uint8Array,
  at: number,
  codes: Uint8Array,
  to: number,
): void {
  for (let half = 0; half < 2; half++) {
    for (let l = 0; l < 32; l++) {
      const byte = bytes[at + 32 * half + l];
      const first = to + 128 * half + l;
      codes[first] = byte & 3;
      codes[first + 32] = (byte >> 2) & 3;
      codes[first + 64] = (byte >> 4) & 3;
      codes[first + 96] = byte >> 6;
    }
  }
}

/** Puts the lower two bits of 256 codes together. */
export function packTwoBitPlanes(
  codes: Uint8Array,
  from: number,
  bytes: Uint8Array,
  at: number,
): void {
  for (let half = 0; half < 2; half++) {
    for (let l = 0; l < 32; l++) {
      const first = from + 128 * half + l;
      bytes[at + 32 * half + l] =
        (codes[first] & 3) |
        ((codes[first + 32] & 3) << 2) |
        ((codes[first + 64] & 3) << 4) |
        ((codes[first + 96] & 3) << 6);
    }
  }
}
