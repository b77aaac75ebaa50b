import { Dict, DictView, Namespace } from "./dict.ts";
import type { Meter } from "./limits.ts";
import { floatText } from "./numbers.ts";
import {
  Callable,
  List,
  Markup,
  NativeFunction,
  Range,
  TemplateObject,
  Tuple,
  Undefined,
  type Value,
} from "./values.ts";

const unprintable = /[\p{C}\p{Z}]/u;
/** What may need another form in quotes. */
const special = /['"\\]|[^ -~\p{L}\p{N}\p{P}\p{S}]/u;

/** `repr` of a text: in single quotes unless that needs escapes and double ones do not. */
export function quote(text: string, asciiOnly = false): string {
  if (!asciiOnly && !special.test(text)) return `'${text}'`;
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = mark;
  for (const point of text) out += quotePoint(point, mark, asciiOnly);
  return out + mark;
}

const shortEscapes: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\\": "\\\\",
};

function quotePoint(point: string, mark: string, asciiOnly: boolean): string {
  if (point === mark) return `\\${point}`;
  const short = shortEscapes[point];
  if (short !== undefined) return short;
  const code = point.codePointAt(0) ?? 0;
  const isPlain = point === " " || (!unprintable.test(point) && !(asciiOnly && code > 126));
  if (isPlain) return point;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

function join(parts: Iterable<string>, meter: Meter): string {
  let out = "";
  for (const part of parts) {
    meter.step();
    meter.take(part.length);
    out += out === "" ? part : `, ${part}`;
  }
  return out;
}

function objectText(value: TemplateObject, meter: Meter): string {
  const inner = (items: readonly Value[]): string =>
    join(
      items.map((item) => repr(item, meter)),
      meter,
    );
  if (value instanceof Markup) return `Markup(${quote(value.text)})`;
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof List) return `[${inner(value.items)}]`;
  if (value instanceof Tuple)
    return `(${inner(value.items)}${value.items.length === 1 ? "," : ""})`;
  if (value instanceof Dict) return pairsText(value.pairs(), meter);
  if (value instanceof DictView) return `${value.typeName}([${inner([...value])}])`;
  if (value instanceof Namespace) return `<TemplateNamespace ${pairsText(value.pairs(), meter)}>`;
  if (value instanceof Range) {
    const step = value.step === 1n ? "" : `, ${value.step}`;
    return `range(${value.start}, ${value.stop}${step})`;
  }
  if (value instanceof NativeFunction) return `<built-in function ${value.name}>`;
  if (value instanceof Callable) return value.describe();
  return `<${value.typeName} object>`;
}

function pairsText(pairs: Iterable<readonly [Value, Value]>, meter: Meter): string {
  const texts = Array.from(pairs, ([key, value]) => `${repr(key, meter)}: ${repr(value, meter)}`);
  return `{${join(texts, meter)}}`;
}

/** `repr(value)`: as Python prints it inside of a list. */
export function repr(value: Value, meter: Meter): string {
  meter.step();
  if (typeof value === "string") {
    if (special.test(value)) meter.parts(value.length);
    else meter.take(value.length);
    return quote(value);
  }
  if (value instanceof TemplateObject) return meter.deeper(() => objectText(value, meter));
  return toText(value, meter);
}

/** `str(value)`: as a template prints it. */
export function toText(value: Value, meter: Meter): string {
  if (typeof value === "string") return value;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return floatText(value);
  if (value instanceof Markup) return value.text;
  return value instanceof Undefined ? "" : repr(value, meter);
}
