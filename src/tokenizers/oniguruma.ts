import { otherCases } from "./ignored-case.ts";
import {
  literal,
  readCharacterEscape,
  readClass,
  readClassEscape,
  refuseCased,
  wordClass,
} from "./oniguruma-class.ts";
import { PatternReader } from "./pattern-reader.ts";

/** How the part of a pattern is read that is being read. */
interface Options {
  readonly ignoreCase: boolean;
  /** Whether `.` matches a new line. */
  readonly dotAll: boolean;
  /** Whether white space and comments in the pattern count for nothing. */
  readonly extended: boolean;
}

const start = "(?<![^])";
const end = "(?![^])";
/** Without case, Oniguruma takes these for one other character (ß for ss), and the other way. */
const severalLetters = /ss|ff|fi|fl|st/i;
const foldsToSeveral = /[ßẞŉǰΐΰև\u1e96-\u1e9a\u1f50-\u1fff\ufb00-\ufb17İ]/;

/**
 * Translates a pattern from the syntax of Oniguruma, which the `tokenizers` library takes, to
 * JavaScript's with the flag `v`. What means the same is kept; the rest is written in other words
 * (possessive quantifiers and atomic groups as lookaheads, `\h`, POSIX classes, lines' ends) or
 * refused.
 * @param place where the pattern stands, for messages
 * @throws UnsupportedError naming the construct
 */
export function translateOniguruma(pattern: string, place: string): string {
  return new Translator(pattern, place).translate();
}

class Translator {
  private readonly reader: PatternReader;
  private atomicGroups = 0;
  private lookbehinds = 0;

  constructor(pattern: string, place: string) {
    this.reader = new PatternReader(pattern, place);
  }

  translate(): string {
    const source = this.alternatives({ ignoreCase: false, dotAll: false, extended: false });
    if (!this.reader.atEnd) this.reader.refuse('a ")" without its "("');
    return source;
  }

  /** Reads up to the end of the group. */
  private alternatives(options: Options): string {
    const { reader } = this;
    let source = "";
    let literals = "";
    while (!reader.atEnd && reader.peek() !== ")") {
      if (options.extended && reader.match(/\s+|#[^\n]*/y)) continue;
      const before = reader.peek();
      const changed = this.changedOptions(options);
      if (changed) return `${source}(?:${this.alternatives(changed)})`;
      if (reader.match(/\(\?#[^)]*\)/y)) continue;
      if (reader.take("|")) source += "|";
      else source += this.quantified(this.atom(options), options);
      literals = /[\p{L}]/u.test(before) ? literals + before : "";
      if (options.ignoreCase && severalLetters.test(literals)) {
        reader.refuse(`"${literals}" without regard to case`);
      }
    }
    return source;
  }

  /** `(?i)` and the like, which hold to the end of the group. */
  private changedOptions(options: Options): Options | null {
    const match = this.reader.match(/\(\?([imx]*)(?:-([imx]*))?\)/y);
    return match && withLetters(options, match[1], match[2] ?? "");
  }

  private atom(options: Options): string {
    const { reader } = this;
    const character = reader.next();
    if (character === "(") return this.group(options);
    if (character === "[") return readClass(reader, options.ignoreCase);
    if (character === ".") return options.dotAll ? "[^]" : "[^\\n]";
    if (character === "^") return `(?:${start}|(?<=\\n)(?=[^]))`;
    if (character === "$") return "(?![^\\n])";
    if (character === "\\") return this.escape(options);
    if ("*+?".includes(character)) return reader.refuse(`"${character}" behind nothing`);
    return this.character(character, options);
  }

  private character(character: string, { ignoreCase }: Options): string {
    if (!ignoreCase) return literal(character);
    if (foldsToSeveral.test(character)) {
      this.reader.refuse(`"${character}" without regard to case`);
    }
    const others = otherCases(literal(character));
    return others === "" ? literal(character) : `[${literal(character)}${others}]`;
  }

  private escape(options: Options): string {
    const { reader } = this;
    const word = `[${wordClass}]`;
    const assertions: Readonly<Record<string, string>> = {
      A: start,
      B: `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`,
      N: "[^\\n]",
      O: "[^]",
      R: "(?:\\r\\n|(?!\\r\\n)[\\n-\\r\\x85\\u2028\\u2029])",
      Z: `(?=\\n?${end})`,
      b: `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`,
      z: end,
    };
    const letter = reader.peek();
    if (Object.hasOwn(assertions, letter)) {
      reader.next();
      return assertions[letter];
    }
    if (/[1-9kgGKXyYCMc]/.test(letter)) return reader.refuse(`\\${letter}`);
    const members = readClassEscape(reader, wordClass);
    if (members === null) return this.character(readCharacterEscape(reader), options);
    if (options.ignoreCase) refuseCased(reader, members);
    return `[${members}]`;
  }

  private group(options: Options): string {
    const { reader } = this;
    const close = (open: string, inside: Options = options): string => {
      reader.enter();
      const source = `${open}${this.alternatives(inside)})`;
      if (!reader.take(")")) reader.refuse('a "(" without its ")"');
      reader.leave();
      return source;
    };
    if (!reader.take("?")) return reader.peek() === "*" ? reader.refuse("(*") : close("(?:");
    for (const kind of [":", "=", "!"]) if (reader.take(kind)) return close(`(?${kind}`);
    for (const kind of ["<=", "<!"]) {
      if (!reader.take(kind)) continue;
      this.lookbehinds++;
      const source = close(`(?${kind}`);
      this.lookbehinds--;
      return source;
    }
    if (reader.take(">")) return this.atomic(close("(?:"));
    if (reader.match(/<[A-Za-z_][A-Za-z_0-9]*>/y)) return close("(?:");
    const match = reader.match(/([imx]*)(?:-([imx]*))?:/y);
    if (match) return close("(?:", withLetters(options, match[1], match[2] ?? ""));
    return reader.refuse(`(?${reader.peek()}`);
  }

  /** What is matched once and not tried again in another way. */
  private atomic(source: string): string {
    // JavaScript matches these backwards, so that the lookahead would come too late.
    if (this.lookbehinds > 0) this.reader.refuse("what is not tried again within a lookbehind");
    const name = `atomic${this.atomicGroups++}`;
    return `(?:(?=(?<${name}>${source}))\\k<${name}>)`;
  }

  private quantified(atom: string, options: Options): string {
    const { reader } = this;
    let source = atom;
    for (;;) {
      if (options.extended) reader.match(/(?:\s+|#[^\n]*)+/y);
      const interval = reader.match(/\{(?=\d|,\d)(\d*)(,?)(\d*)\}/y);
      if (interval) source = this.interval(source, interval);
      else {
        const sign = reader.match(/[*+?]/y)?.[0];
        if (sign === undefined) return source;
        if (reader.take("?")) source = `(?:${source})${sign}?`;
        else if (reader.take("+")) source = this.atomic(`(?:${source})${sign}`);
        else source = repeated(source, sign);
      }
    }
  }

  /** `{2}`, `{2,}`, `{,2}`, `{2,3}`; of these only the ones with a comma can be lazy. */
  private interval(source: string, [whole, least, comma, most]: readonly string[]): string {
    const { reader } = this;
    if (comma === "") return repeated(source, `{${least}}`);
    if (least !== "" && most !== "" && Number(least) > Number(most)) return reader.refuse(whole);
    const range = `{${least || "0"},${most}}`;
    return reader.take("?") ? `(?:${source})${range}?` : repeated(source, range);
  }
}

const repeated = (source: string, quantifier: string): string =>
  /^(\\?[^\\()[\]]|\\x..|\[[^[\]]*\])$/su.test(source)
    ? source + quantifier
    : `(?:${source})${quantifier}`;

function withLetters(options: Options, on: string, off: string): Options {
  const value = (letter: string, before: boolean): boolean =>
    off.includes(letter) ? false : on.includes(letter) || before;
  return {
    ignoreCase: value("i", options.ignoreCase),
    dotAll: value("m", options.dotAll),
    extended: value("x", options.extended),
  };
}
