import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { spaceClass, strip } from "./text.ts";

/** What a token is: text of the template, an edge of a tag, or a part of an expression. */
export type TokenType =
  | "data"
  | "blockBegin"
  | "blockEnd"
  | "printBegin"
  | "printEnd"
  | "name"
  | "string"
  | "int"
  | "float"
  | "operator"
  | "end";

export interface Token {
  readonly type: TokenType;
  /** Text of a name, operator, string (unescaped) or data; digits of a number. */
  readonly text: string;
  readonly line: number;
}

const spaces = `[${spaceClass}]`;
const rawBegin = new RegExp(`\\{%([-+]?)${spaces}*raw${spaces}*(?:-%\\}${spaces}*|%\\})`, "y");
const rawEnd = new RegExp(
  `\\{%([-+]?)${spaces}*endraw${spaces}*(?:\\+%\\}|-%\\}${spaces}*|%\\}\\n?)`,
  "g",
);
const commentEnd = new RegExp(`\\+#\\}|-#\\}${spaces}*|#\\}\\n?`, "g");
const blockEnd = new RegExp(`\\+%\\}|-%\\}${spaces}*|%\\}\\n?`, "y");
const printEnd = new RegExp(`-\\}\\}${spaces}*|\\}\\}`, "y");
const tagBegin = /\{[%#{]/g;
const onlySpaces = new RegExp(`^${spaces}+$`);

const rules: readonly (readonly [TokenType | "space", RegExp])[] = [
  ["space", new RegExp(`${spaces}+`, "y")],
  ["float", /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy],
  ["int", /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy],
  ["name", /[\p{XIDC}\p{L}\p{N}]+/uy],
  ["string", /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y],
  ["operator", /\/\/|\*\*|[=!<>]=|[-+/*%~[\](){}<>=.:|,;]/y],
];
const identifier = /^[\p{XIDS}_]\p{XIDC}*$/u;
const closing: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Cuts a template into tokens, as Jinja does with `trim_blocks` and `lstrip_blocks`. */
class Lexer {
  private readonly source: string;
  private readonly meter: Meter;
  private readonly tokens: Token[] = [];
  private place = 0;
  private line = 1;
  /** Whether what was read last ended a line, so that spaces are the start of one. */
  private lineStarts = true;

  constructor(source: string, meter: Meter) {
    const text = source.replace(/\r\n?/g, "\n");
    this.source = text.endsWith("\n") ? text.slice(0, -1) : text;
    this.meter = meter;
  }

  read(): Token[] {
    while (this.place < this.source.length) this.readText();
    this.add("end", "");
    return this.tokens;
  }

  private add(type: TokenType, text: string): void {
    this.meter.step();
    this.tokens.push({ type, text, line: this.line });
  }

  /** Moves behind what was read. */
  private advance(length: number): void {
    const read = this.source.slice(this.place, this.place + length);
    this.line += read.split("\n").length - 1;
    this.lineStarts = read.endsWith("\n");
    this.place += length;
  }

  private match(rule: RegExp): RegExpExecArray | null {
    rule.lastIndex = this.place;
    return rule.exec(this.source);
  }

  /** Reads text up to the next tag, and the tag. */
  private readText(): void {
    const begin = this.match(tagBegin);
    if (!begin) {
      this.add("data", this.source.slice(this.place));
      this.place = this.source.length;
      return;
    }
    const text = this.source.slice(this.place, begin.index);
    const sign = /[-+]/.exec(this.source[begin.index + 2] ?? "")?.[0] ?? "";
    const kept = this.trimText(text, sign, begin[0] !== "{{");
    if (kept !== "") this.add("data", kept);
    this.advance(text.length);
    const raw = this.match(rawBegin);
    if (raw) this.readRaw(raw[0].length);
    else this.readTag(begin[0], begin[0].length + sign.length);
  }

  /** Removes the spaces in front of a tag that do not count. */
  private trimText(text: string, sign: string, isBlock: boolean): string {
    if (sign === "-") return strip(text, "right");
    if (sign === "+" || !isBlock) return text;
    const lineStart = text.lastIndexOf("\n") + 1;
    const startsLine = lineStart > 0 || this.lineStarts;
    return startsLine && onlySpaces.test(text.slice(lineStart)) ? text.slice(0, lineStart) : text;
  }

  private readRaw(length: number): void {
    this.advance(length);
    const end = this.match(rawEnd);
    if (!end) return this.fail("Missing end of raw directive");
    const text = this.source.slice(this.place, end.index);
    const kept = this.trimText(text, end[1], true);
    if (kept !== "") this.add("data", kept);
    return this.advance(text.length + end[0].length);
  }

  private readTag(begin: string, length: number): void {
    if (begin === "{#") {
      this.advance(length);
      const end = this.match(commentEnd);
      if (!end) return this.fail("Missing end of comment tag");
      return this.advance(end.index + end[0].length - this.place);
    }
    const isBlock = begin === "{%";
    this.add(isBlock ? "blockBegin" : "printBegin", "");
    this.advance(length);
    return this.readExpression(isBlock);
  }

  /** Reads the tokens of a tag up to its end. */
  private readExpression(isBlock: boolean): void {
    const open: string[] = [];
    while (this.place < this.source.length) {
      const end = open.length === 0 ? this.match(isBlock ? blockEnd : printEnd) : null;
      if (end) {
        this.add(isBlock ? "blockEnd" : "printEnd", "");
        return this.advance(end[0].length);
      }
      this.readToken(open);
    }
    return undefined;
  }

  private readToken(open: string[]): void {
    for (const [type, rule] of rules) {
      const text = this.match(rule)?.[0];
      if (text === undefined) continue;
      if (type === "operator") this.balance(text, open);
      if (type === "name" && !identifier.test(text)) this.fail("Invalid character in identifier");
      if (type !== "space")
        this.add(type, type === "string" ? this.unescape(text.slice(1, -1)) : text);
      return this.advance(text.length);
    }
    return this.fail(`unexpected char '${this.source[this.place]}'`);
  }

  private balance(operator: string, open: string[]): void {
    if (operator in closing) open.push(closing[operator]);
    else if (operator === ")" || operator === "]" || operator === "}") {
      if (open.pop() !== operator) this.fail(`unexpected '${operator}'`);
    }
  }

  private fail(message: string): never {
    return fail("SyntaxError", `${message} (line ${this.line})`);
  }

  private unescape(text: string): string {
    return unescapeText(text) ?? this.fail("a string has an escape that is not whole");
  }
}

const simpleEscapes: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const escape = /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/g;

/** Resolves the escapes of a Python string; null when one is not whole. */
function unescapeText(text: string): string | null {
  // A backslash in front of a character beyond ASCII escapes the escape of that character.
  const ascii = text.replace(/\\([^\0-\x7f])/gu, (_, point: string) => `\\\\${asciiEscape(point)}`);
  let whole = true;
  const resolved = ascii.replace(escape, (found, octal, hex, short, long, other) => {
    if (other !== undefined) {
      if ("xuUN".includes(other)) whole = false;
      return simpleEscapes[other] ?? found;
    }
    const code =
      octal === undefined ? Number.parseInt(hex ?? short ?? long, 16) : Number.parseInt(octal, 8);
    if (code > 0x10ffff) whole = false;
    return code > 0x10ffff ? "" : String.fromCodePoint(code);
  });
  return whole ? resolved : null;
}

function asciiEscape(point: string): string {
  const code = point.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 0x100) return `x${hex.padStart(2, "0")}`;
  return code < 0x10000 ? `u${hex.padStart(4, "0")}` : `U${hex.padStart(8, "0")}`;
}

/**
 * Cuts a template into tokens. The last one is `end`.
 * @throws TemplateFailure (SyntaxError) for what no token begins with
 */
export function tokenize(source: string, meter: Meter): Token[] {
  return new Lexer(source, meter).read();
}
