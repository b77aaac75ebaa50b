import { fail } from "./failure.ts";
import { pointsOf, strip } from "./text.ts";
import { textSize } from "./values.ts";

/** How lines are broken. */
export interface WrapOptions {
  readonly width: number;
  readonly breakLongWords: boolean;
  readonly breakOnHyphens: boolean;
}

const word = `[A-Za-z0-9_\\p{L}\\p{N}!"'&.,?]`;
const letter = `[\\p{L}_]`;
const blank = "[\\t\\n\\v\\f\\r ]";
const other = "[^\\t\\n\\v\\f\\r ]";
/** Words, dashes between them, parts of hyphenated words, spaces: as Python's textwrap has them. */
const withHyphens = new RegExp(
  `(${blank}+|(?<=${word})-{2,}(?=[\\p{L}\\p{N}_])|${other}+?(?:-(?:(?<=${letter}{2}-)|` +
    `(?<=${letter}-${letter}-))(?=${letter}-?${letter})|(?=${blank}|$)|` +
    `(?<=${word})(?=-{2,}[\\p{L}\\p{N}_])))`,
  "u",
);
const withoutHyphens = new RegExp(`(${blank}+)`);

const isBlank = (chunk: string): boolean => strip(chunk, "both") === "";

/**
 * Breaks one line into lines of at most `width` code points, as `textwrap.wrap` does.
 * @throws TemplateFailure when the width is not positive
 */
export function wrapText(text: string, options: WrapOptions): string[] {
  if (options.width <= 0) fail("ValueError", `invalid width ${options.width} (must be > 0)`);
  const pattern = options.breakOnHyphens ? withHyphens : withoutHyphens;
  const chunks = text.split(pattern).filter((chunk) => chunk !== undefined && chunk !== "");
  chunks.reverse();
  const lines: string[] = [];
  while (chunks.length > 0) {
    if (lines.length > 0 && isBlank(chunks[chunks.length - 1])) chunks.pop();
    const line = fillLine(chunks, options);
    if (line.length > 0) lines.push(line.join(""));
  }
  return lines;
}

/** Takes what fits on one line from the end of `chunks`. */
function fillLine(
  chunks: string[],
  { width, breakLongWords, breakOnHyphens }: WrapOptions,
): string[] {
  const line: string[] = [];
  let length = 0;
  while (chunks.length > 0 && length + textSize(chunks[chunks.length - 1]) <= width) {
    const chunk = chunks.pop() ?? "";
    line.push(chunk);
    length += textSize(chunk);
  }
  const next = chunks.at(-1);
  if (next !== undefined && textSize(next) > width) {
    if (breakLongWords) breakWord(chunks, line, width - length, breakOnHyphens);
    else if (line.length === 0) line.push(chunks.pop() ?? "");
  }
  if (line.length > 0 && isBlank(line[line.length - 1])) line.pop();
  return line;
}

function breakWord(chunks: string[], line: string[], space: number, onHyphens: boolean): void {
  const points = pointsOf(chunks[chunks.length - 1]);
  let end = space;
  if (onHyphens && points.length > space) {
    const hyphen = points.slice(0, space).lastIndexOf("-");
    if (hyphen > 0 && points.slice(0, hyphen).some((point) => point !== "-")) end = hyphen + 1;
  }
  line.push(points.slice(0, end).join(""));
  chunks[chunks.length - 1] = points.slice(end).join("");
  if (chunks[chunks.length - 1] === "") chunks.pop();
}
