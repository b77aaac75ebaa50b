import { FormatError } from "../util/errors.ts";
import { quoteName } from "./wording.ts";

/** Strings up to this length are copied by `slice`; longer ones would keep the whole text. */
const longestShort = 12;

/**
 * A cursor over JSON text for readers that know what must come next. Unlike `JSON.parse` it lets
 * the reader see duplicate keys, refuse what it does not expect before it allocates anything, and
 * never makes objects, so that names such as `__proto__` are only names.
 */
export class JsonScanner {
  private readonly text: string;
  private readonly source: string;
  private at = 0;
  private readonly numbers: number[] = [];

  /** `source` names the text in errors. */
  constructor(text: string, source: string) {
    this.text = text;
    this.source = source;
  }

  /** Raises a FormatError that says where the text went wrong. */
  fail(expected: string): never {
    const found =
      this.at < this.text.length ? quoteName(this.text.slice(this.at, this.at + 12)) : "its end";
    throw new FormatError(
      `${this.source}: expected ${expected} at character ${this.at}, found ${found}`,
    );
  }

  /** Passes white space and the given punctuation mark. @throws FormatError when another comes */
  expect(mark: string): void {
    if (!this.accept(mark)) this.fail(`"${mark}"`);
  }

  /** Passes white space, and the mark if it comes next. */
  accept(mark: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== mark) return false;
    this.at++;
    return true;
  }

  /** Passes white space, and `null` if it comes next. */
  acceptNull(): boolean {
    this.skipSpace();
    if (!this.text.startsWith("null", this.at)) return false;
    this.at += 4;
    return true;
  }

  /** Reads the members of an object; `member` must consume each value. */
  members(member: (key: string) => void): void {
    this.expect("{");
    if (this.accept("}")) return;
    do {
      const key = this.string();
      this.expect(":");
      member(key);
    } while (this.accept(","));
    this.expect("}");
  }

  /** Reads an array of at most `limit` whole numbers. */
  integers(limit: number): number[] {
    const values = this.numbers;
    values.length = 0;
    this.expect("[");
    if (this.accept("]")) return [];
    do {
      if (values.length === limit) this.fail(`at most ${limit} numbers`);
      values.push(this.integer());
    } while (this.accept(","));
    this.expect("]");
    // A copy has no room to spare, which a list that grew has.
    return values.slice();
  }

  /** Reads a whole number from 0 to 2^53 − 1. */
  integer(): number {
    this.skipSpace();
    const start = this.at;
    while (isDigit(this.text.charCodeAt(this.at))) this.at++;
    const digits = this.text.slice(start, Math.min(this.at, start + 17));
    const next = this.text[this.at] ?? "";
    const isWhole = digits !== "" && !".eE".includes(next || " ");
    const isPlain = digits.length === 1 || !digits.startsWith("0");
    const value = Number(digits);
    if (!isWhole || !isPlain || !Number.isSafeInteger(value)) {
      this.at = start;
      this.fail("a whole number from 0 to 2^53 - 1");
    }
    return value;
  }

  /** Reads a string. */
  string(): string {
    this.skipSpace();
    const start = this.at;
    if (this.text[start] !== '"') this.fail("a string");
    const short = this.shortString(start);
    if (short !== null) return short;
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === "\\" ? 2 : 1;
    try {
      const value = JSON.parse(this.text.slice(start, end + 1)) as string;
      this.at = end + 1;
      return value;
    } catch {
      return this.fail("a well-formed string");
    }
  }

  /** Reads a string of a few plain characters without a parser; null for others. */
  private shortString(start: number): string | null {
    const { text } = this;
    for (let at = start + 1; at <= start + longestShort; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x22) {
        this.at = at + 1;
        return text.slice(start + 1, at);
      }
      if (!(code >= 0x20 && code < 0x7f) || code === 0x5c) return null;
    }
    return null;
  }

  /** Checks that nothing but white space is left. */
  end(): void {
    this.skipSpace();
    if (this.at < this.text.length) this.fail("the end");
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
