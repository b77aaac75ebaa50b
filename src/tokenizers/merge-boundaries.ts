/** What a byte-pair encoding may do that bears on where a text can be cut. */
interface MergeOptions {
  readonly unk_token?: string | null | undefined;
  readonly fuse_unk?: boolean | null | undefined;
  readonly byte_fallback?: boolean | null | undefined;
  readonly ignore_merges?: boolean | null | undefined;
  readonly end_of_word_suffix?: string | undefined;
  readonly continuing_subword_prefix?: string | undefined;
}

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
  /** No cut before a character that is not among these: unknown ones may become one token. */
  private readonly known: ReadonlyMap<string, number> | null;

  /** Nor behind one: unknown ones may come to nothing, so that what is around them meets. */
  private readonly dropsUnknown: boolean;

  private constructor(
    merges: readonly (readonly [string, string])[],
    known: ReadonlyMap<string, number> | null,
    dropsUnknown: boolean,
  ) {
    for (const [left, right] of merges) {
      const first = right.codePointAt(0);
      const last = lastCodePoint(left);
      if (first === undefined || last === undefined) continue;
      const before = this.joins.get(first);
      if (before) before.add(last);
      else this.joins.set(first, new Set([last]));
    }
    this.known = known;
    this.dropsUnknown = dropsUnknown;
  }

  /** Returns the boundaries of a model, or null for a model that looks at whole words. */
  static of(
    options: MergeOptions,
    merges: readonly (readonly [string, string])[],
    vocabulary: ReadonlyMap<string, number>,
  ): MergeBoundaries | null {
    const wholeWords =
      options.ignore_merges || options.end_of_word_suffix || options.continuing_subword_prefix;
    // Tokens that do not stand for their own characters say nothing of where they join.
    const standsForOther = (token: string) =>
      token === options.unk_token || (options.byte_fallback && /^<0x..>$/.test(token));
    if (wholeWords || merges.some((pair) => pair.some(standsForOther))) return null;
    const hasBytes = options.byte_fallback && byteTokens(vocabulary) === 256;
    const hasUnknown = typeof options.unk_token === "string";
    const takesApart = hasBytes || (hasUnknown && !options.fuse_unk && !options.byte_fallback);
    return new MergeBoundaries(merges, takesApart ? null : vocabulary, !hasUnknown);
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
    if (this.known === null) return true;
    const isKnown = (code: number): boolean => this.known?.has(String.fromCodePoint(code)) ?? true;
    return isKnown(right) && (!this.dropsUnknown || isKnown(left));
  }
}

function lastCodePoint(text: string): number | undefined {
  const last = text.codePointAt(text.length - 1);
  if (last === undefined || last < 0xdc00 || last > 0xdfff || text.length < 2) return last;
  return text.codePointAt(text.length - 2);
}

function byteTokens(vocabulary: ReadonlyMap<string, number>): number {
  let count = 0;
  for (let byte = 0; byte < 256; byte++) {
    if (vocabulary.has(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)) count++;
  }
  return count;
}
