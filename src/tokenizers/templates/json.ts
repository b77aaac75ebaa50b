import { Dict } from "./dict.ts";
import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { floatText } from "./numbers.ts";
import { isLess, sortValues } from "./compare.ts";
import { countMatches } from "./text.ts";
import { Sequence, textOf, typeName, type Value } from "./values.ts";

/** How `tojson` writes. */
export interface JsonStyle {
  readonly ensureAscii: boolean;
  /** Of one level; null: everything on one line. */
  readonly indent: string | null;
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortKeys: boolean;
}

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\f": "\\f",
  "\b": "\\b",
};

function quoteJson(text: string, ensureAscii: boolean, meter: Meter): string {
  const special = ensureAscii ? /["\\]|[^ -~]/g : /["\\\x00-\x1f]/g;
  meter.take(text.length);
  meter.parts(countMatches(text, special));
  const written = text.replace(special, (unit) => {
    return shortEscapes[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return `"${written}"`;
}

function floatJson(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return floatText(value);
  return value > 0 ? "Infinity" : "-Infinity";
}

function scalarJson(value: Value, style: JsonStyle, meter: Meter): string | undefined {
  const text = textOf(value);
  if (text !== undefined) return quoteJson(text, style.ensureAscii, meter);
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return value.toString();
  return typeof value === "number" ? floatJson(value) : undefined;
}

function keyJson(key: Value, style: JsonStyle, meter: Meter): string {
  const text = textOf(key);
  if (text !== undefined) return quoteJson(text, style.ensureAscii, meter);
  const written = scalarJson(key, style, meter);
  if (written !== undefined) return `"${written}"`;
  return fail("TypeError", `keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

/** Writes values as Python's `json.dumps` does. */
class JsonWriter {
  private readonly style: JsonStyle;
  private readonly meter: Meter;
  private level = 0;

  constructor(style: JsonStyle, meter: Meter) {
    this.style = style;
    this.meter = meter;
  }

  write(value: Value): string {
    this.meter.step();
    const scalar = scalarJson(value, this.style, this.meter);
    if (scalar !== undefined) return scalar;
    if (value instanceof Sequence) {
      return this.enclose("[]", value.items, (item) => this.write(item));
    }
    if (value instanceof Dict) {
      return this.enclose("{}", this.pairsOf(value), ([key, item]) => {
        return keyJson(key, this.style, this.meter) + this.style.keySeparator + this.write(item);
      });
    }
    return fail("TypeError", `Object of type ${typeName(value)} is not JSON serializable`);
  }

  private pairsOf(dict: Dict): readonly (readonly [Value, Value])[] {
    const pairs = [...dict.pairs()];
    if (!this.style.sortKeys) return pairs;
    return sortValues(
      pairs,
      ([key]) => key,
      false,
      (a, b) => isLess(a, b, this.meter),
    );
  }

  private enclose<T>(marks: string, items: readonly T[], write: (item: T) => string): string {
    if (items.length === 0) return marks;
    const { indent, itemSeparator } = this.style;
    const parts = this.meter.deeper(() => {
      this.level++;
      const written = items.map(write);
      this.level--;
      return written;
    });
    const size = parts.reduce((sum, part) => sum + part.length + itemSeparator.length, 0);
    if (indent === null) {
      this.meter.take(size);
      return marks[0] + parts.join(itemSeparator) + marks[1];
    }
    const depth = this.level + 1;
    this.meter.take(size + items.length * (1 + indent.length * depth));
    const line = `\n${indent.repeat(depth)}`;
    const end = `\n${indent.repeat(this.level)}`;
    return marks[0] + line + parts.join(itemSeparator + line) + end + marks[1];
  }
}

/**
 * Writes a value as `json.dumps` does.
 * @throws TemplateFailure for what JSON cannot hold
 */
export function toJson(value: Value, style: JsonStyle, meter: Meter): string {
  return new JsonWriter(style, meter).write(value);
}
