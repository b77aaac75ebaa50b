import type { TokenizerDefinition } from "./tokenizer-definition.ts";

/**
 * Tells where a byte-pair encoding can never merge: between characters a and b when no entry of the
 * merge table has a left part that ends with a and a right part that begins with b. Merging is a
 * sequence of table look-ups on neighbours, so nothing ever crosses such a place, and the text on
 * its two sides can be encoded apart, with the same ids. SentencePiece-like tokenizers have no
 * pre-tokenizer and merge over the whole text; their tables join nothing before the mark of a
 * space, so that words can be encoded (and remembered) one by one.
 */
export class MergeBoundaries {
  /** Per right-hand character, the left-hand characters it may be joined to. */
  private readonly joins = new Map<number, Set<number>>();
  /** Unknown characters in a row may become one token: no cut before one. */
  private readonly known: ReadonlySet<string> | null;

  private constructor(merges: readonly (readonly [string, string])[], known: Set<string> | null) {
    for (const [left, right] of merges) {
      const first = right.codePointAt(0);
      const last = lastCodePoint(left);
      if (first === undefined || last === undefined) continue;
      const before = this.joins.get(first);
      if (before) before.add(last);
      else this.joins.set(first, new Set([last]));
    }
    this.known = known;
  }

  /** Returns the boundaries of a model, or null for a model that looks at whole words. */
  static of(model: TokenizerDefinition["model"]): MergeBoundaries | null {
    const { merges, vocab } = model;
    const wholeWords =
      model.ignore_merges || model.end_of_word_suffix || model.continuing_subword_prefix;
    if (!merges || Array.isArray(vocab) || wholeWords) return null;
    const pairs = merges.map((merge): readonly [string, string] => {
      if (typeof merge !== "string") return merge;
      const space = merge.indexOf(" ");
      return [merge.slice(0, space), merge.slice(space + 1)];
    });
    return new MergeBoundaries(pairs, model.fuse_unk ? new Set(Object.keys(vocab)) : null);
  }

  /** Cuts a text at every place that nothing can be merged across, lazily. */
  *split(text: string): Generator<string> {
    let start = 0;
    let previous = -1;
    for (let at = 0; at < text.length; ) {
      const code = text.codePointAt(at) as number;
      if (previous >= 0 && this.isBoundary(previous, code)) {
        yield text.slice(start, at);
        start = at;
      }
      previous = code;
      at += code > 0xffff ? 2 : 1;
    }
    if (start < text.length) yield text.slice(start);
  }

  private isBoundary(left: number, right: number): boolean {
    if (this.joins.get(right)?.has(left)) return false;
    return this.known === null || this.known.has(String.fromCodePoint(right));
  }
}

function lastCodePoint(text: string): number | undefined {
  const last = text.codePointAt(text.length - 1);
  if (last === undefined || last < 0xdc00 || last > 0xdfff || text.length < 2) return last;
  return text.codePointAt(text.length - 2);
}
