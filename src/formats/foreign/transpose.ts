/*
 * Matrices are turned in words of 32 bits, whatever they hold: squares of four rows of four bytes, or
 * of two rows of two halves, are words that are turned within. Each loop then knows one type of array.
 */

/** Columns that are turned at a time, so that both sides stay in the cache. */
const band = 64;

/** Turns a matrix `[rows, columns]` of 32-bit words. */
export function transposeWords(words: Uint32Array, rows: number, columns: number): Uint32Array {
  const out = new Uint32Array(rows * columns);
  turnColumns(words, rows, columns, { first: 0, end: columns }, out);
  return out;
}

/** Columns `[first, end)`. */
export interface Columns {
  readonly first: number;
  readonly end: number;
}

/** Turns columns of a matrix `[rows, columns]` of 32-bit words into `out`, `[end − first, rows]`. */
export function turnColumns(
  words: Uint32Array,
  rows: number,
  columns: number,
  { first, end }: Columns,
  out: Uint32Array,
): void {
  const whole = rows - (rows % 8);
  for (let left = first; left < end; left += band) {
    const right = Math.min(end, left + band);
    const start = (left - first) * rows;
    for (let top = 0; top < whole; top += 8) {
      turnEight(words, top * columns + left, columns, right - left, out, start + top, rows);
    }
    for (let row = whole; row < rows; row++) {
      for (let column = left; column < right; column++) {
        out[(column - first) * rows + row] = words[row * columns + column];
      }
    }
  }
}

/** Turns eight rows of `count` words each. Written out: a loop over the eight takes twice as long. */
function turnEight(
  words: Uint32Array,
  at: number,
  columns: number,
  count: number,
  out: Uint32Array,
  start: number,
  rows: number,
): void {
  const pair = 2 * columns;
  const half = 2 * pair;
  const [c, d, e] = [pair, pair + columns, half];
  const [f, g, h] = [half + columns, half + pair, half + pair + columns];
  for (let from = at, to = start; from < at + count; from++, to += rows) {
    out[to] = words[from];
    out[to + 1] = words[from + columns];
    out[to + 2] = words[from + c];
    out[to + 3] = words[from + d];
    out[to + 4] = words[from + e];
    out[to + 5] = words[from + f];
    out[to + 6] = words[from + g];
    out[to + 7] = words[from + h];
  }
}

/** Turns a matrix `[rows, columns]` of floats, halves or bytes. */
export function transposeInto<Values extends Float32Array | Uint8Array | Uint16Array>(
  from: Values,
  rows: number,
  columns: number,
  into: Values,
): Values {
  const perWord = 4 / from.BYTES_PER_ELEMENT;
  const isWhole = rows % perWord === 0 && columns % perWord === 0;
  if (!isWhole || (from.byteOffset | into.byteOffset) % 4 !== 0) {
    turnSingly(from, rows, into);
    return into;
  }
  const [words, out] = [wordsOf(from), wordsOf(into)];
  if (perWord === 1) turnColumns(words, rows, columns, { first: 0, end: columns }, out);
  else if (perWord === 2) turnPairs(words, rows, columns / 2, out);
  else turnQuads(words, rows, columns / 4, out);
  return into;
}

function wordsOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint32Array {
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}

function turnSingly(
  from: Float32Array | Uint8Array | Uint16Array,
  rows: number,
  into: Float32Array | Uint8Array | Uint16Array,
): void {
  for (let row = 0, at = 0; row < rows; row++) {
    for (let to = row; to < from.length; to += rows) into[to] = from[at++];
  }
}

/** Turns rows of `wide` words of two halves each. */
function turnPairs(words: Uint32Array, rows: number, wide: number, out: Uint32Array): void {
  const outWide = rows / 2;
  for (let top = 0; top < outWide; top++) {
    const at = 2 * top * wide;
    for (let left = 0, to = top; left < wide; left++, to += 2 * outWide) {
      const a = words[at + left];
      const b = words[at + wide + left];
      out[to] = (a & 0xffff) | (b << 16);
      out[to + outWide] = (a >>> 16) | (b & 0xffff0000);
    }
  }
}

/** Turns rows of `wide` words of four bytes each. */
function turnQuads(words: Uint32Array, rows: number, wide: number, out: Uint32Array): void {
  const outWide = rows / 4;
  for (let top = 0; top < outWide; top++) {
    const at = 4 * top * wide;
    for (let left = 0, to = top; left < wide; left++, to += 4 * outWide) {
      const a = words[at + left];
      const b = words[at + wide + left];
      const c = words[at + 2 * wide + left];
      const d = words[at + 3 * wide + left];
      const even = (a & 0x00ff00ff) | ((b & 0x00ff00ff) << 8);
      const odd = ((a >>> 8) & 0x00ff00ff) | (b & 0xff00ff00);
      const evenBelow = (c & 0x00ff00ff) | ((d & 0x00ff00ff) << 8);
      const oddBelow = ((c >>> 8) & 0x00ff00ff) | (d & 0xff00ff00);
      out[to] = (even & 0xffff) | (evenBelow << 16);
      out[to + outWide] = (odd & 0xffff) | (oddBelow << 16);
      out[to + 2 * outWide] = (even >>> 16) | (evenBelow & 0xffff0000);
      out[to + 3 * outWide] = (odd >>> 16) | (oddBelow & 0xffff0000);
    }
  }
}
