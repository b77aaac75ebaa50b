import { readBitStream, writeBitStream } from "../../quant/packings/bit-stream.ts";

/** How codes lie in 32-bit words. */

/** Words that a run of codes takes as one little-endian stream of bits. */
export function streamWords(count: number, bits: number): number {
  return Math.ceil((count * bits) / 32);
}

/** Words that a run of codes takes, each word with whole codes only and its high bits left over. */
export function paddedWords(count: number, bits: number): number {
  return Math.ceil(count / Math.floor(32 / bits));
}

/** Reads a run of codes of words that hold whole codes only, the first in the lowest bits. */
function readPaddedWords(words: Uint32Array, at: number, bits: number, into: Uint8Array): void {
  const perWord = Math.floor(32 / bits);
  const mask = 2 ** bits - 1;
  for (let i = 0; i < into.length; at++) {
    for (let shift = 0; shift < perWord * bits && i < into.length; shift += bits) {
      into[i++] = (words[at] >>> shift) & mask;
    }
  }
}

/** Reads rows of codes, one a byte: rows of words are streams of bits, or padded words. */
export function readWordRows(
  words: Uint32Array,
  rows: number,
  count: number,
  { bits, isPadded }: { readonly bits: number; readonly isPadded: boolean },
): Uint8Array {
  const wide = words.length / rows;
  const codes = new Uint8Array(rows * count);
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  if (!isPadded && 32 * wide === bits * count) {
    readBitStream(bytes, 0, bits, codes);
    return codes;
  }
  for (let row = 0; row < rows; row++) {
    const into = codes.subarray(row * count, (row + 1) * count);
    if (isPadded) readPaddedWords(words, row * wide, bits, into);
    else readBitStream(bytes, 4 * row * wide, bits, into);
  }
  return codes;
}

/** Rows of padded words as streams of bits, each in whole words. */
export function streamOfPadded(
  words: Uint32Array,
  rows: number,
  count: number,
  bits: number,
): Uint8Array {
  const codes = readWordRows(words, rows, count, { bits, isPadded: true });
  const rowBytes = 4 * streamWords(count, bits);
  const stream = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++) {
    writeBitStream(codes.subarray(row * count, (row + 1) * count), bits, stream, row * rowBytes);
  }
  return stream;
}

/** Where squares of eight words lie on one side: at `outer·i + inner·j`, and a lane each behind that. */
export interface Squares {
  readonly outer: number;
  readonly inner: number;
  /** Eight distances. */
  readonly lanes: readonly number[];
}

/**
 * Turns squares of eight rows of eight 4-bit codes each, a row a word with the first code lowest:
 * `outer · inner` of them.
 */
export function turnNibbles(
  words: Uint32Array,
  from: Squares,
  out: Uint32Array,
  to: Squares,
  [outer, inner]: readonly [number, number],
): void {
  const [a1, b1, c1, d1, e1, f1, g1, h1] = from.lanes;
  const [a2, b2, c2, d2, e2, f2, g2, h2] = to.lanes;
  for (let i = 0; i < outer; i++) {
    let at = i * from.outer;
    let put = i * to.outer;
    for (let j = 0; j < inner; j++, at += from.inner, put += to.inner) {
      let a = words[at + a1];
      let b = words[at + b1];
      let c = words[at + c1];
      let d = words[at + d1];
      let e = words[at + e1];
      let f = words[at + f1];
      let g = words[at + g1];
      let h = words[at + h1];
      // Halves of the square are swapped, then quarters of each, then single codes.
      let swap = ((a >>> 16) ^ e) & 0xffff;
      a ^= swap << 16;
      e ^= swap;
      swap = ((b >>> 16) ^ f) & 0xffff;
      b ^= swap << 16;
      f ^= swap;
      swap = ((c >>> 16) ^ g) & 0xffff;
      c ^= swap << 16;
      g ^= swap;
      swap = ((d >>> 16) ^ h) & 0xffff;
      d ^= swap << 16;
      h ^= swap;
      swap = ((a >>> 8) ^ c) & 0x00ff00ff;
      a ^= swap << 8;
      c ^= swap;
      swap = ((b >>> 8) ^ d) & 0x00ff00ff;
      b ^= swap << 8;
      d ^= swap;
      swap = ((e >>> 8) ^ g) & 0x00ff00ff;
      e ^= swap << 8;
      g ^= swap;
      swap = ((f >>> 8) ^ h) & 0x00ff00ff;
      f ^= swap << 8;
      h ^= swap;
      swap = ((a >>> 4) ^ b) & 0x0f0f0f0f;
      out[put + a2] = a ^ (swap << 4);
      out[put + b2] = b ^ swap;
      swap = ((c >>> 4) ^ d) & 0x0f0f0f0f;
      out[put + c2] = c ^ (swap << 4);
      out[put + d2] = d ^ swap;
      swap = ((e >>> 4) ^ f) & 0x0f0f0f0f;
      out[put + e2] = e ^ (swap << 4);
      out[put + f2] = f ^ swap;
      swap = ((g >>> 4) ^ h) & 0x0f0f0f0f;
      out[put + g2] = g ^ (swap << 4);
      out[put + h2] = h ^ swap;
    }
  }
}
