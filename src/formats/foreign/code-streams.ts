/** Bytes of a row of codes as one little-endian stream, as fewbit's packings pad it. */
export function streamBytes(bits: number, count: number): number {
  const bytes = bits === 3 ? 3 * Math.ceil(count / 8) : Math.ceil((count * bits) / 8);
  return Math.ceil(bytes / 4) * 4;
}

/** The same rows with another number of bytes each; what is added is 0. */
export function withStride(bytes: Uint8Array, rows: number, stride: number): Uint8Array {
  const from = bytes.length / rows;
  if (from === stride) return bytes;
  const into = new Uint8Array(rows * stride);
  const kept = Math.min(from, stride);
  for (let row = 0; row < rows; row++) {
    into.set(bytes.subarray(row * from, row * from + kept), row * stride);
  }
  return into;
}

/** Reads `⌊32/bits⌋` codes of each word of 4 bytes, from the lowest bits on; the rest is unused. */
export function readPaddedWords(words: Uint8Array, bits: number, into: Uint8Array): void {
  const each = Math.floor(32 / bits);
  const mask = 2 ** bits - 1;
  for (let i = 0; i < into.length; i++) {
    const at = Math.floor(i / each) * 4;
    const word = words[at] | (words[at + 1] << 8) | (words[at + 2] << 16) | (words[at + 3] << 24);
    into[i] = (word >>> (bits * (i % each))) & mask;
  }
}

/** Rows of such words as rows of one stream each. */
export function withoutWordPadding(
  bytes: Uint8Array,
  { rows, bits, count }: { readonly rows: number; readonly bits: number; readonly count: number },
): Uint8Array {
  const from = bytes.length / rows;
  const stride = streamBytes(bits, count);
  const streams = new Uint8Array(rows * stride);
  const codes = new Uint8Array(count);
  for (let row = 0; row < rows; row++) {
    readPaddedWords(bytes.subarray(row * from, (row + 1) * from), bits, codes);
    writeBitStream(codes, bits, streams.subarray(row * stride, (row + 1) * stride));
  }
  return streams;
}

/** Writes codes as a little-endian stream over zeros. */
export function writeBitStream(codes: Uint8Array, bits: number, into: Uint8Array): void {
  for (let i = 0, bit = 0; i < codes.length; i++, bit += bits) {
    const shifted = codes[i] << (bit & 7);
    into[bit >>> 3] |= shifted;
    if (shifted > 0xff) into[(bit >>> 3) + 1] |= shifted >>> 8;
  }
}
