import { isNarrow, textSize } from "./values.ts";

/** What `str.isspace` calls a space, as part of a character class. */
export const spaceClass =
  "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const leadingSpace = new RegExp(`^[${spaceClass}]+`);
const space = new RegExp(`[${spaceClass}]`);
const runsOfText = new RegExp(`[^${spaceClass}]+`, "g");
const onlySpace = new RegExp(`^[${spaceClass}]+$`);

/** Whether a text is nothing but spaces, and not empty. */
export function isSpace(text: string): boolean {
  return onlySpace.test(text);
}

/** Returns the code points of a text. */
export function pointsOf(text: string): readonly string[] {
  return Array.from(text);
}

const lastPair = /^[\ud800-\udbff][\udc00-\udfff]$/;

/** Which ends of a text are meant. */
export type Ends = "both" | "left" | "right";

/** Removes spaces, or those characters that stand in `chars`, from the ends of a text. */
export function strip(text: string, ends: Ends, chars?: string): string {
  if (chars !== undefined) return stripCharacters(text, ends, new Set(pointsOf(chars)));
  const from = ends === "right" ? 0 : (leadingSpace.exec(text)?.[0].length ?? 0);
  let to = text.length;
  if (ends !== "left") while (to > from && space.test(text[to - 1])) to--;
  return text.slice(from, to);
}

function stripCharacters(text: string, ends: Ends, chars: ReadonlySet<string>): string {
  let [from, to] = [0, text.length];
  while (ends !== "right" && from < to) {
    const point = String.fromCodePoint(text.codePointAt(from) ?? 0);
    if (!chars.has(point)) break;
    from += point.length;
  }
  while (ends !== "left" && to > from) {
    const pair = to - from > 1 ? text.slice(to - 2, to) : "";
    const point = lastPair.test(pair) ? pair : text[to - 1];
    if (!chars.has(point)) break;
    to -= point.length;
  }
  return text.slice(from, to);
}

/** Splits at runs of spaces, at most `most` times (−1: always), from the left or the right. */
export function splitAtSpaces(text: string, most: number, fromRight = false): string[] {
  const starts: number[] = [];
  const ends: number[] = [];
  runsOfText.lastIndex = 0;
  for (let run = runsOfText.exec(text); run; run = runsOfText.exec(text)) {
    starts.push(run.index);
    ends.push(runsOfText.lastIndex);
  }
  const words = (from: number, to: number): string[] =>
    starts.slice(from, to).map((start, i) => text.slice(start, ends[from + i]));
  if (most < 0 || starts.length <= most) return words(0, starts.length);
  // What is not split keeps the spaces at its outer end.
  if (!fromRight) return [...words(0, most), text.slice(starts[most])];
  const kept = starts.length - most;
  return [text.slice(0, ends[kept - 1]), ...words(kept, starts.length)];
}

/** Counts what a pattern with the flag `g` finds in a text. */
export function countMatches(text: string, pattern: RegExp): number {
  let count = 0;
  pattern.lastIndex = 0;
  while (pattern.test(text)) count++;
  return count;
}

/** Counts the words between runs of spaces. */
export function countWords(text: string): number {
  return countMatches(text, runsOfText);
}

/** Splits at a separator that is not empty, at most `most` times (−1: always). */
export function splitAt(
  text: string,
  separator: string,
  most: number,
  fromRight = false,
): string[] {
  const parts = text.split(separator);
  if (most < 0 || parts.length <= most + 1) return parts;
  if (fromRight) {
    const kept = parts.length - most;
    return [parts.slice(0, kept).join(separator), ...parts.slice(kept)];
  }
  return [...parts.slice(0, most), parts.slice(most).join(separator)];
}

/** Ends of lines. */
export const lineEnds = /\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/g;

/** Splits a text into its lines, as `str.splitlines` does. */
export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let from = 0;
  for (const end of text.matchAll(lineEnds)) {
    const to = end.index + end[0].length;
    lines.push(text.slice(from, keepEnds ? to : end.index));
    from = to;
  }
  if (from < text.length) lines.push(text.slice(from));
  return lines;
}

/** Replaces the first `most` places (−1: all) of `old`; an empty one is between all characters. */
export function replaceText(text: string, old: string, by: string, most: number): string {
  if (old !== "") {
    return most < 0 ? text.split(old).join(by) : splitAt(text, old, most).join(by);
  }
  const points = pointsOf(text);
  const count = most < 0 ? points.length + 1 : Math.min(most, points.length + 1);
  const parts = points.slice(0, count).map((point) => by + point);
  const last = count > points.length ? by : "";
  return parts.join("") + points.slice(count).join("") + last;
}

/** Counts how often `part` stands in a text without overlapping itself. */
export function countText(text: string, part: string): number {
  if (part === "") return textSize(text) + 1;
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

/** Fills a text up to `width` code points, on the left or the right. */
export function pad(text: string, width: number, fill: string, side: "left" | "right"): string {
  const missing = width - textSize(text);
  if (missing <= 0) return text;
  return side === "left" ? fill.repeat(missing) + text : text + fill.repeat(missing);
}

/** Puts a text in the middle of `width` code points; an odd one goes where Python puts it. */
export function centerText(text: string, width: number, fill: string): string {
  const size = textSize(text);
  const missing = width - size;
  if (missing <= 0) return text;
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

const cased = /\p{L}|\p{Lm}|[\u2160-\u217f\u24b6-\u24e9]/u;

/** Letters of two, of which the first alone may be upper case. */
const digraphs = ["Ǆǅǆ", "Ǉǈǉ", "Ǌǋǌ", "Ǳǲǳ"].map(pointsOf);

/** Upper case for the first letter of a word, as `str.title` and `str.capitalize` use it. */
function titleCase(point: string): string {
  const digraph = digraphs.find((forms) => forms.includes(point));
  if (digraph) return digraph[1];
  const upper = pointsOf(point.toUpperCase());
  return upper.length > 1 ? upper[0] + upper.slice(1).join("").toLowerCase() : upper.join("");
}

/** `str.capitalize`. */
export function capitalize(text: string): string {
  const [first = "", ...rest] = pointsOf(text);
  return titleCase(first) + rest.join("").toLowerCase();
}

function isCased(point: string): boolean {
  return cased.test(point) && point.toLowerCase() !== point.toUpperCase();
}

/** `str.title`: every letter after something that is no letter is upper case. */
export function titleText(text: string): string {
  const lower = pointsOf(text.toLowerCase());
  const points = pointsOf(text);
  let inWord = false;
  return points
    .map((point, index) => {
      const written = inWord
        ? lower.length === points.length
          ? lower[index]
          : point.toLowerCase()
        : titleCase(point);
      inWord = isCased(point);
      return written;
    })
    .join("");
}

/** Whether a text has cased letters and all of them have the case that `change` writes. */
export function hasCase(text: string, change: "toLowerCase" | "toUpperCase"): boolean {
  const letters = pointsOf(text).filter(isCased);
  return letters.length > 0 && letters.every((letter) => letter[change]() === letter);
}

/** Compares two texts by code points: negative, zero or positive. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  if (isNarrow(a) && isNarrow(b)) return a < b ? -1 : 1;
  const [left, right] = [pointsOf(a), pointsOf(b)];
  const size = Math.min(left.length, right.length);
  for (let i = 0; i < size; i++) {
    const difference = (left[i].codePointAt(0) ?? 0) - (right[i].codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
