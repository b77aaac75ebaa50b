import { isLess } from "./compare.ts";
import { Dict } from "./dict.ts";
import type { Meter } from "./limits.ts";
import { quote, repr } from "./repr.ts";
import { spaceClass, splitLines } from "./text.ts";
import { Group, List, type Sequence, textSize, Tuple, type Value } from "./values.ts";

/** Widest line. */
const width = 80;

/** Breaks values into lines as Python's `pprint` does, with the keys of dicts in order. */
class PrettyPrinter {
  private readonly meter: Meter;

  constructor(meter: Meter) {
    this.meter = meter;
  }

  /** Writes a value that begins `indent` columns in and has `after` characters behind it. */
  write(value: Value, indent: number, after: number, level: number): string {
    const plain = repr(sortKeys(value, this.meter), this.meter);
    if (textSize(plain) <= width - indent - after) return plain;
    return this.meter.deeper(() => this.writeLines(value, plain, indent, after, level + 1));
  }

  private writeLines(
    value: Value,
    plain: string,
    indent: number,
    after: number,
    level: number,
  ): string {
    if (typeof value === "string") return this.writeText(value, indent, after, level);
    if (value instanceof List) return `[${this.writeItems(value, indent, after + 1, level)}]`;
    if (value instanceof Tuple && !(value instanceof Group)) {
      const end = value.items.length === 1 ? ",)" : ")";
      return `(${this.writeItems(value, indent, after + end.length, level)}${end}`;
    }
    return value instanceof Dict ? this.writeDict(value, indent, after + 1, level) : plain;
  }

  private writeItems({ items }: Sequence, indent: number, after: number, level: number): string {
    const last = items.length - 1;
    const lines = items.map((item, i) => {
      return this.write(item, indent + 1, i === last ? after : 1, level);
    });
    return this.joinLines(lines, ",", indent + 1);
  }

  private writeDict(dict: Dict, indent: number, after: number, level: number): string {
    const pairs = sortedPairs(dict, this.meter);
    const lines = pairs.map(([key, item], i) => {
      const name = repr(key, this.meter);
      const column = indent + 1 + textSize(name) + 2;
      return `${name}: ${this.write(item, column, i === pairs.length - 1 ? after : 1, level)}`;
    });
    return `{${this.joinLines(lines, ",", indent + 1)}}`;
  }

  private joinLines(lines: readonly string[], mark: string, indent: number): string {
    const size = lines.reduce((sum, line) => sum + line.length + indent + 2, 0);
    this.meter.take(size);
    return lines.join(`${mark}\n${" ".repeat(indent)}`);
  }

  /** Writes a long text as several, in parentheses when it stands alone. */
  private writeText(text: string, indent: number, after: number, level: number): string {
    if (text === "") return "''";
    const alone = level === 1 ? 1 : 0;
    const [column, end] = [indent + alone, after + alone];
    const lines = splitLines(text, true);
    const parts = lines.flatMap((line, i) => {
      const isLast = i === lines.length - 1;
      const whole = quote(line);
      const most = width - column - (isLast ? end : 0);
      return textSize(whole) <= most ? [whole] : breakLine(line, width - column, isLast ? end : 0);
    });
    if (parts.length === 1) return parts[0];
    const joined = this.joinLines(parts, "", column);
    return alone ? `(${joined})` : joined;
  }
}

const words = new RegExp(`[^${spaceClass}]*[${spaceClass}]*`, "g");

/** Breaks a line behind spaces into quoted parts of at most `most` columns. */
function breakLine(line: string, most: number, after: number): string[] {
  const pieces = (line.match(words) ?? []).filter((piece) => piece !== "");
  const parts: string[] = [];
  let current = "";
  for (const [i, piece] of pieces.entries()) {
    const room = i === pieces.length - 1 ? most - after : most;
    if (textSize(quote(current + piece)) <= room) current += piece;
    else {
      if (current !== "") parts.push(quote(current));
      current = piece;
    }
  }
  return current === "" ? parts : [...parts, quote(current)];
}

/** Pairs in the order of their keys; keys without an order, in that of their types' names. */
function sortedPairs(dict: Dict, meter: Meter): (readonly [Value, Value])[] {
  return [...dict.pairs()].sort(([a], [b]) => {
    const kinds = [typeof a, typeof b];
    if (kinds[0] !== kinds[1] || kinds[0] === "object") return kinds[0] < kinds[1] ? -1 : 0;
    return isLess(a, b, meter) ? -1 : isLess(b, a, meter) ? 1 : 0;
  });
}

function sortKeys(value: Value, meter: Meter): Value {
  meter.step();
  // The tuples of `groupby` print themselves.
  if (value instanceof Group) return value;
  const sorted = (item: Value): Value => meter.deeper(() => sortKeys(item, meter));
  if (value instanceof List) return new List(value.items.map(sorted));
  if (value instanceof Tuple) return new Tuple(value.items.map(sorted));
  if (!(value instanceof Dict)) return value;
  return new Dict(sortedPairs(value, meter).map(([key, item]) => [key, sorted(item)] as const));
}

/** `pprint.pformat(value)`. */
export function prettyPrint(value: Value, meter: Meter): string {
  return new PrettyPrinter(meter).write(value, 0, 0, 0);
}
