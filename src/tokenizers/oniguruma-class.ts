import { otherCases } from "./ignored-case.ts";
import type { PatternReader } from "./pattern-reader.ts";
import { posixClasses, propertyClass, wordCharacters } from "./unicode-names.ts";

/** Outside of brackets, Oniguruma counts these signs of Latin-1 among the word characters too. */
export const wordClass = `${wordCharacters}\\xb2\\xb3\\xb9\\xbc-\\xbe`;

/** Writes a character so that it stands for itself, in a class and outside of one. */
export function literal(character: string): string {
  const code = character.codePointAt(0) as number;
  if (/[A-Za-z0-9 ]/.test(character) || code > 0x7f) return character;
  return `\\x${code.toString(16).padStart(2, "0")}`;
}

/**
 * Reads the class that `\d \D \h \H \s \S \w \W \p{…} \P{…}` stand for: the inside of brackets, or
 * null when the escape is no class. The reader stands behind the backslash; `word` is what `\w` has.
 */
export function readClassEscape(reader: PatternReader, word: string): string | null {
  const letter = reader.peek();
  const simple: Readonly<Record<string, string>> = {
    d: "\\p{Nd}",
    h: "0-9A-Fa-f",
    s: "\\p{White_Space}",
    w: word,
  };
  if ("dhswDHSW".includes(letter) && letter !== "") {
    reader.next();
    const members = simple[letter.toLowerCase()];
    return letter === letter.toLowerCase() ? members : `[^${members}]`;
  }
  if (letter !== "p" && letter !== "P") return null;
  reader.next();
  if (!reader.take("{")) return reader.refuse(`\\${letter} without a name in braces`);
  const turned = reader.take("^");
  const name = reader.until("}");
  const members = propertyClass(name);
  if (members === null) return reader.refuse(`\\${letter}{${name}}`);
  return turned === (letter === "P") ? members : `[^${members}]`;
}

/** Reads a character after a backslash: `\n`, `\x41`, `\u00e9`, `\x{1F600}`, or itself. */
export function readCharacterEscape(reader: PatternReader): string {
  const letter = reader.next();
  const controls: Readonly<Record<string, string>> = {
    a: "\x07",
    e: "\x1b",
    f: "\f",
    n: "\n",
    r: "\r",
    t: "\t",
    v: "\v",
  };
  if (Object.hasOwn(controls, letter)) return controls[letter];
  const digits =
    (letter === "x" &&
      (reader.match(/\{([0-9A-Fa-f]{1,8})\}/y) ?? reader.match(/[0-9A-Fa-f]{1,2}/y))) ||
    (letter === "u" && reader.match(/[0-9A-Fa-f]{4}/y)) ||
    null;
  if (digits) {
    const code = Number.parseInt(digits[1] ?? digits[0], 16);
    const isByte = letter === "x" && digits[1] === undefined && code > 0x7f;
    if (isByte || code > 0x10ffff) return reader.refuse(`the byte or character \\x${digits[0]}`);
    return String.fromCodePoint(code);
  }
  if (letter === "0") {
    const octal = reader.match(/[0-7]{1,2}/y);
    return String.fromCodePoint(Number.parseInt(octal?.[0] ?? "0", 8));
  }
  if (letter === "" || /[A-Za-z0-9]/.test(letter)) return reader.refuse(`\\${letter}`);
  return letter;
}

/** Refuses a class of some cases of letters where case is ignored: Oniguruma does so by halves. */
export function refuseCased(reader: PatternReader, members: string): void {
  if (otherCases(members) !== "")
    reader.refuse("a class of letters of one case, without regard to case");
}

interface Item {
  /** The inside of brackets. */
  readonly members: string;
  /** The character, of an item that may begin or end a range. */
  readonly character: string | null;
}

function readPosix(reader: PatternReader): Item | null {
  const match = reader.match(/\[:(\^?)([a-z]+):\]/y);
  if (!match) return null;
  const members = posixClasses.get(match[2]);
  if (members === undefined) return reader.refuse(match[0]);
  return { members: match[1] ? `[^${members}]` : members, character: null };
}

function readItem(reader: PatternReader, ignoreCase: boolean): Item {
  const posix = readPosix(reader);
  if (posix) return posix;
  if (reader.peek() === "[") {
    reader.next();
    return { members: readClass(reader, ignoreCase), character: null };
  }
  if (!reader.take("\\")) return characterItem(reader.next());
  if (reader.take("b")) return characterItem("\b");
  if (reader.peek() === "R" || reader.peek() === "X")
    return reader.refuse(`\\${reader.peek()} in a class`);
  const members = readClassEscape(reader, wordCharacters);
  if (members !== null) {
    if (ignoreCase) refuseCased(reader, members);
    return { members, character: null };
  }
  return characterItem(readCharacterEscape(reader));
}

const characterItem = (character: string): Item => ({ members: literal(character), character });

function readRange(reader: PatternReader, from: Item, ignoreCase: boolean): string {
  if (!/-[^\]]/y.test(reader.rest(2)) || reader.rest(3) === "-&&") return from.members;
  if (from.character === null) return reader.refuse("a range that begins with a class");
  reader.next();
  const to = readItem(reader, ignoreCase);
  if (to.character === null) return reader.refuse("a range that ends with a class");
  const [first, last] = [from.character, to.character].map((one) => one.codePointAt(0) as number);
  if (first > last) return reader.refuse("a range that runs backwards");
  return `${from.members}-${to.members}`;
}

/** Reads a class behind its `[`; returns it with brackets, for the flag `v`. */
export function readClass(reader: PatternReader, ignoreCase: boolean): string {
  reader.enter();
  const turned = reader.take("^");
  const sides: string[] = [];
  let members = "";
  let isFirst = true;
  for (; ; isFirst = false) {
    if (reader.atEnd) return reader.refuse("a class without its end");
    if (reader.peek() === "]" && !(isFirst && reader.restHas("]", 1))) break;
    if (reader.take("&&")) {
      sides.push(members);
      members = "";
    } else members += readRange(reader, readItem(reader, ignoreCase), ignoreCase);
  }
  reader.next();
  reader.leave();
  sides.push(members);
  const both = sides.map((side) => (ignoreCase ? side + otherCases(side) : side));
  const inside = both.length === 1 ? both[0] : both.map((side) => `[${side}]`).join("&&");
  return `[${turned ? "^" : ""}${inside}]`;
}
