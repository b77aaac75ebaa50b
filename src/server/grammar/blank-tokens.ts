import { tokenBytes } from "../../tokenizers/token-spelling.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";

const isBlank = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Blanks in a row that a text may have where a grammar gives little choice. */
const mostBlanks = 16;

/**
 * Keeps models that are forced to write JSON from writing blanks between its parts for ever, which
 * grammars allow and small models do. Texts that are free may have as many as they like.
 */
export class BlankTokens {
  private readonly size: number;
  /** A bit for each token that begins with a blank. */
  private readonly starts: Int32Array;
  /** Bytes of tokens that are nothing but blanks. */
  private readonly lengths = new Map<number, number>();

  /** `size`: tokens that the model knows. */
  constructor(tokenizer: Tokenizer, size: number) {
    this.size = size;
    this.starts = new Int32Array(Math.ceil(size / 32));
    for (let id = 0; id < size; id++) {
      const bytes = tokenBytes(tokenizer, id);
      if (bytes.length === 0 || !isBlank(bytes[0])) continue;
      this.starts[id >> 5] |= 1 << (id & 31);
      if (bytes.every(isBlank)) this.lengths.set(id, bytes.length);
    }
  }

  /** Length of the run of blanks that a text ends with, given that before its last token. */
  runAfter(run: number, token: number): number {
    const length = this.lengths.get(token);
    return length === undefined ? 0 : run + length;
  }

  /** Leaves out what begins with a blank, where there have been enough and something else may come. */
  narrow(mask: Int32Array, run: number): Int32Array {
    if (run < mostBlanks || countBits(mask) > this.size / 2) return mask;
    const rest = mask.map((word, i) => word & ~this.starts[i]);
    return rest.some((word) => word !== 0) ? rest : mask;
  }
}

function countBits(mask: Int32Array): number {
  let count = 0;
  for (const word of mask) for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
