import * as z from "zod";
import { runWithin, TimeIsOver } from "../platform/node.ts";
import { FormatError } from "../util/errors.ts";
import { shortValue } from "../util/parse-value.ts";
import { translateOniguruma } from "./oniguruma.ts";

/** A pattern of `tokenizer.json`: a regular expression in Oniguruma's syntax, or a plain string. */
export const patternSchema = z.union([
  z.strictObject({ Regex: z.string() }),
  z.strictObject({ String: z.string() }),
]);
export type PatternConfig = z.infer<typeof patternSchema>;

const space = "\\s";
/**
 * Regular expressions of public models whose time grows with the length of the text alone, whatever
 * it is: each alternative takes what it has looked at, or looks at one run of characters that a
 * later alternative takes. They run without a watch.
 */
const harmless: ReadonlySet<string> = new Set([
  // GPT-2, and ByteLevel of the library.
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${space}\\p{L}\\p{N}]+|${space}+(?!\\S)|${space}+`,
  // GPT-4 (cl100k) as Llama 3 and others write it, and Qwen with single digits.
  ...["\\p{N}{1,3}", "\\p{N}"].map(
    (digits) =>
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
      `${digits}| ?[^${space}\\p{L}\\p{N}]+[\\r\\n]*|${space}*[\\r\\n]+|${space}+(?!\\S)|${space}+`,
  ),
  // Single characters and runs of one class.
  " ",
  "\\s",
  "\\s+",
  "\\p{N}",
  "\\p{N}+",
  "\\p{N}{1,3}",
  "\\d",
  "\\d+",
  " {2,}",
  "[\\r\\n]",
  "\\n",
]);

/** The pattern that was looked for last: the one to name when time is over. */
let lastSource = "";

/** Milliseconds that a step may take, and more of them for each unit of text that it goes over. */
const leastLimitMs = 5_000;
const limitMsPerUnit = 0.002;

/**
 * Uses an expression once for texts of one and of two bytes a character: V8 compiles it, and finds
 * it too large, on the first of each.
 * @throws SyntaxError when it is too large
 */
export function compileFully(expression: RegExp): void {
  for (const text of ["a", "\u4e00"]) {
    expression.lastIndex = 0;
    expression.exec(text);
  }
}

/** Finds a pattern of a tokenizer in texts. */
export class Pattern {
  /** As `tokenizer.json` writes it. */
  readonly source: string;
  /** Whether nobody knows how long it takes: use it within `watchPatterns`. */
  readonly needsWatch: boolean;
  /** With the flags `g` and `v`. */
  private readonly expression: RegExp;

  private constructor(source: string, expression: string, needsWatch: boolean) {
    this.source = source;
    this.expression = new RegExp(expression, "gv");
    this.needsWatch = needsWatch;
  }

  /**
   * @throws UnsupportedError for syntax that cannot be translated
   * @throws FormatError for what is no regular expression, or too large a one
   */
  static of(config: PatternConfig, place: string): Pattern {
    const isText = "String" in config;
    const source = isText ? config.String : config.Regex;
    const expression = isText ? escapePattern(source) : translateOniguruma(source, place);
    try {
      const pattern = new Pattern(source, expression, !isText && !harmless.has(source));
      runWithin(leastLimitMs, () => compileFully(pattern.expression));
      return pattern;
    } catch (cause) {
      const why = isText ? "too long a text" : "no regular expression";
      throw new FormatError(`${place}: the pattern ${shortValue(source)} is ${why}`, { cause });
    }
  }

  /** A pattern of fewbit's own, in JavaScript's syntax with the flag `v`. */
  static own(expression: string): Pattern {
    return new Pattern(expression, expression, false);
  }

  /**
   * Finds the next match at or behind `from`; `last` is where the match before it ended. An empty
   * match right behind another one does not count, as in Oniguruma's own iteration.
   */
  findFrom(text: string, from: number, last: number): readonly [start: number, end: number] | null {
    const { expression } = this;
    lastSource = this.source;
    // The library looks for nothing in an empty text.
    if (text === "") return null;
    for (let at = from; at <= text.length; ) {
      expression.lastIndex = at;
      const match = expression.exec(text);
      if (match === null) return null;
      const { index } = match;
      const end = index + match[0].length;
      // V8 finds empty matches within a surrogate pair, too.
      if (isWithinPair(text, index)) at = index + 1;
      else if (end > index || end !== last) return [index, end];
      else at = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
    }
    return null;
  }

  /** Puts `content` where the pattern matches. */
  replace(text: string, content: string): string {
    let replaced = "";
    let last = 0;
    for (let match = this.findFrom(text, 0, -1); match; ) {
      const [start, end] = match;
      replaced += text.slice(last, start) + content;
      last = end;
      match = this.findFrom(text, end, end);
    }
    return last === 0 && replaced === "" ? text : replaced + text.slice(last);
  }
}

function isWithinPair(text: string, at: number): boolean {
  return at > 0 && at < text.length && (text.codePointAt(at - 1) as number) > 0xffff;
}

/** Writes a text as an expression that matches it. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/**
 * Runs one step of work that looks for patterns of a file, and stops it when a pattern backtracks
 * without end. `units`: length of the text that it goes over.
 * @throws FormatError naming the pattern
 * @throws CancelledError on Ctrl-C
 */
export function watchPatterns<T>(
  file: string,
  units: number,
  work: () => T,
  leastMs: number = leastLimitMs,
): T {
  const limitMs = leastMs + units * limitMsPerUnit;
  try {
    return runWithin(limitMs, work);
  } catch (error) {
    if (error instanceof RangeError) {
      const pattern = shortValue(lastSource);
      throw new FormatError(`${file}: the pattern ${pattern} needs too much memory on this text`, {
        cause: error,
      });
    }
    if (!(error instanceof TimeIsOver)) throw error;
    throw new FormatError(
      `${file}: the pattern ${shortValue(lastSource)} did not come to an end within ` +
        `${(limitMs / 1000).toFixed(1)} s on this text`,
      {
        hint:
          "a regular expression that backtracks without end; take the tokenizer of the original " +
          "model",
        cause: error,
      },
    );
  }
}
