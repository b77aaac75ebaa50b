import { readBitStream, writeBitStream } from "../../quant/packings/bit-stream.ts";

/** How codes lie in 32-bit words, and how matrices of such words are turned. */

/** Rows and columns that are turned at a time, so that both sides stay in the cache. */
const tile = 16;

/** Turns a matrix `[rows, columns]` of 32-bit words. */
export function transposeWords(words: Uint32Array, rows: number, columns: number): Uint32Array {
  const out = new Uint32Array(rows * columns);
  for (let top = 0; top < rows; top += tile) {
    const bottom = Math.min(rows, top + tile);
    for (let left = 0; left < columns; left += tile) {
      const right = Math.min(columns, left + tile);
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          out[column * rows + row] = words[row * columns + column];
        }
      }
    }
  }
  return out;
}

/** Turns a matrix `[rows, columns]` of floats or bytes. */
export function transposeInto<Values extends Float32Array | Uint8Array | Uint16Array>(
  from: Values,
  rows: number,
  columns: number,
  into: Values,
): Values {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      into[column * rows + row] = from[row * columns + column];
    }
  }
  return into;
}

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

/**
 * Turns eight rows of eight 4-bit codes each, a row a word with the first code lowest, in place from
 * word `at` on.
 */
export function transposeNibbles(words: Uint32Array, at: number): void {
  turnPairs(words, at, 4, 16, 0x0000ffff);
  turnPairs(words, at, 2, 8, 0x00ff00ff);
  turnPairs(words, at, 1, 4, 0x0f0f0f0f);
}

/** One step of turning: swaps the high halves of rows with the low halves of those `apart` below. */
function turnPairs(
  words: Uint32Array,
  at: number,
  apart: number,
  shift: number,
  mask: number,
): void {
  for (let row = 0; row < 8; row++) {
    if ((row & apart) !== 0) continue;
    const upper = at + row;
    const lower = upper + apart;
    const swap = ((words[upper] >>> shift) ^ words[lower]) & mask;
    words[lower] ^= swap;
    words[upper] ^= swap << shift;
  }
}
