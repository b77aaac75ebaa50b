/*
 * The four bytes in which Q5_0 and Q5_1 hold the highest bits of 32 codes: bit i % 8 of byte
 * ⌊i / 8⌋ belongs to code i.
 */

/** Adds the fifth bits to 32 codes that have their lower four. */
export function addFifthBits(bytes: Uint8Array, at: number, codes: Uint8Array, to: number): void {
  for (let i = 0; i < 32; i++) {
    codes[to + i] |= ((bytes[at + (i >> 3)] >> (i & 7)) & 1) << 4;
  }
}

/** Puts the fifth bits of 32 codes together. */
export function packFifthBits(
  codes: Uint8Array,
  from: number,
  bytes: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < 4; i++) {
    let byte = 0;
    for (let bit = 0; bit < 8; bit++) byte |= (codes[from + 8 * i + bit] >> 4) << bit;
    bytes[at + i] = byte;
  }
}
