import { FormatError } from "../util/errors.ts";
import { compileFully } from "./pattern.ts";
import type { AddedToken } from "./tokenizer-definition.ts";

/** An added token with its id. */
export interface FoundToken extends Omit<AddedToken, "id"> {
  readonly id: number;
}

/** A stretch of text between added tokens, or an added token. */
export type Section =
  | { readonly text: string; readonly start: number }
  | { readonly token: FoundToken };

/** An added token and the text by which it is found (its normalized form, for some). */
export interface Needle {
  readonly text: string;
  readonly token: FoundToken;
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
const wordBefore = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const wordAfter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const spaceBefore = /\p{White_Space}$/u;
const spaceAfter = /\p{White_Space}*/uy;

/** Finds added tokens in text: the leftmost first, of several there the longest. */
export class AddedTokenFinder {
  private readonly pattern: RegExp | null;
  private readonly tokens = new Map<string, FoundToken>();

  /** @throws FormatError when there are too many or too long ones to look for together */
  constructor(needles: readonly Needle[]) {
    for (const { text, token } of needles) if (text !== "") this.tokens.set(text, token);
    const longestFirst = [...this.tokens.keys()].sort((a, b) => b.length - a.length);
    this.pattern = longestFirst.length > 0 ? alternatives(longestFirst) : null;
  }

  /** Cuts `text` into added tokens and what stands between them, lazily. */
  *split(text: string): Generator<Section> {
    const { pattern } = this;
    let end = 0;
    for (let at = 0; pattern; ) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (!match) break;
      const { index } = match;
      at = index + match[0].length;
      const token = this.tokens.get(match[0]) as FoundToken;
      if (token.single_word && touchesWord(text, index, at)) continue;
      let start = index;
      if (token.lstrip) {
        while (start > end && spaceBefore.test(text[start - 1])) start--;
        start = Math.max(start, end);
      }
      if (start > end) yield { text: text.slice(end, start), start: end };
      end = token.rstrip ? skipSpace(text, at) : at;
      // One whose space another one has taken already comes to nothing.
      if (start < end) yield { token };
    }
    if (end < text.length) yield { text: end === 0 ? text : text.slice(end), start: end };
  }
}

function alternatives(longestFirst: readonly string[]): RegExp {
  try {
    const pattern = new RegExp(longestFirst.map(escaped).join("|"), "gu");
    compileFully(pattern);
    return pattern;
  } catch (cause) {
    throw new FormatError(
      `tokenizer.json: ${longestFirst.length} added_tokens of up to ${longestFirst[0].length} ` +
        "characters are more than can be looked for together",
      { cause },
    );
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
