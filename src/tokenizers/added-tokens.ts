import type { AddedToken } from "./tokenizer-definition.ts";

/** A stretch of text between added tokens, or an added token. */
export type Section =
  | { readonly text: string; readonly start: number }
  | { readonly token: AddedToken };

/** An added token and the text by which it is found (its normalized form, for some). */
export interface Needle {
  readonly text: string;
  readonly token: AddedToken;
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
const wordBefore = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u;
const wordAfter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;
const spaceBefore = /\p{White_Space}+$/u;
const spaceAfter = /\p{White_Space}*/uy;

/** Finds added tokens in text: the leftmost first, of several there the longest. */
export class AddedTokenFinder {
  private readonly pattern: RegExp | null;
  private readonly tokens = new Map<string, AddedToken>();

  constructor(needles: readonly Needle[]) {
    for (const { text, token } of needles) if (text !== "") this.tokens.set(text, token);
    const longestFirst = [...this.tokens.keys()].sort((a, b) => b.length - a.length);
    const source = longestFirst.map(escaped).join("|");
    this.pattern = longestFirst.length > 0 ? new RegExp(source, "gu") : null;
  }

  /** Cuts `text` into added tokens and what stands between them, lazily. */
  *split(text: string): Generator<Section> {
    let end = 0;
    if (this.pattern) {
      const pattern = new RegExp(this.pattern);
      for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
        const token = this.tokens.get(match[0]) as AddedToken;
        const { index } = match;
        if (token.single_word && touchesWord(text, index, index + match[0].length)) continue;
        const gap = text.slice(end, index);
        const kept = token.lstrip ? gap.replace(spaceBefore, "") : gap;
        if (kept !== "") yield { text: kept, start: end };
        yield { token };
        end = index + match[0].length;
        if (token.rstrip) end = skipSpace(text, end);
        pattern.lastIndex = end;
      }
    }
    if (end < text.length) yield { text: end === 0 ? text : text.slice(end), start: end };
  }
}

function touchesWord(text: string, start: number, end: number): boolean {
  return (
    wordBefore.test(text.slice(Math.max(0, start - 2), start)) ||
    wordAfter.test(text.slice(end, end + 2))
  );
}

function skipSpace(text: string, from: number): number {
  spaceAfter.lastIndex = from;
  spaceAfter.exec(text);
  return spaceAfter.lastIndex;
}
