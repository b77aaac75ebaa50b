/**
 * Reads codes of up to 8 bits from a little-endian stream behind byte `at`: code j occupies bits
 * `[bits·j, bits·j + bits)`, bit 0 being the lowest bit of the first byte.
 */
export function readBitStream(bytes: Uint8Array, at: number, bits: number, into: Uint8Array): void {
  const mask = (1 << bits) - 1;
  for (let i = 0, bit = 0; i < into.length; i++, bit += bits) {
    const byte = at + (bit >>> 3);
    const pair = bytes[byte] | ((bit & 7) + bits > 8 ? bytes[byte + 1] << 8 : 0);
    into[i] = (pair >>> (bit & 7)) & mask;
  }
}

/** Writes a run of codes of up to 8 bits as such a stream, behind byte `at`. */
export function writeBitStream(
  codes: Uint8Array,
  bits: number,
  into: Uint8Array,
  at: number,
): void {
  const mask = (1 << bits) - 1;
  into.fill(0, at, at + Math.ceil((codes.length * bits) / 8));
  for (let i = 0, bit = 0; i < codes.length; i++, bit += bits) {
    const shifted = (codes[i] & mask) << (bit & 7);
    const byte = at + (bit >>> 3);
    into[byte] |= shifted & 0xff;
    if (shifted > 0xff) into[byte + 1] |= shifted >>> 8;
  }
}
