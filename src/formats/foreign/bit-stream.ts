/**
 * Reads codes of up to 8 bits from a little-endian stream: code j occupies bits
 * `[bits·j, bits·j + bits)` behind byte `at`, bit 0 being the lowest of a byte.
 */
export function readBitStream(bytes: Uint8Array, at: number, bits: number, into: Uint8Array): void {
  const mask = 2 ** bits - 1;
  for (let i = 0, bit = 8 * at; i < into.length; i++, bit += bits) {
    const byte = bit >>> 3;
    const crosses = (bit & 7) + bits > 8;
    into[i] = ((bytes[byte] | (crosses ? bytes[byte + 1] << 8 : 0)) >>> (bit & 7)) & mask;
  }
}

/** Writes codes of up to 8 bits as such a stream behind byte `at`, over zeros. */
export function writeBitStream(
  codes: Uint8Array,
  bits: number,
  bytes: Uint8Array,
  at: number,
): void {
  for (let i = 0, bit = 8 * at; i < codes.length; i++, bit += bits) {
    const shifted = codes[i] << (bit & 7);
    bytes[bit >>> 3] |= shifted & 0xff;
    if (shifted > 0xff) bytes[(bit >>> 3) + 1] |= shifted >>> 8;
  }
}
