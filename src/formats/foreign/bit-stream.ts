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

/** Writes a run of codes of up to 8 bits as such a stream, behind byte `at`. */
export function writeBitStream(
  codes: Uint8Array,
  bits: number,
  into: Uint8Array,
  at: number,
): void {
  let held = 0;
  let filled = 0;
  for (let i = 0; i < codes.length; i++) {
    held |= codes[i] << filled;
    filled += bits;
    while (filled >= 8) {
      into[at++] = held & 0xff;
      held >>>= 8;
      filled -= 8;
    }
  }
  if (filled > 0) into[at] = held & 0xff;
}
