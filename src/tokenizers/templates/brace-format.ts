import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { alignText, checkWidth, type NumberFormat, writeNumber } from "./number-format.ts";
import { numberOf } from "./numbers.ts";
import { quote, repr, toText } from "./repr.ts";
import { pointsOf } from "./text.ts";
import { type Arguments, orElse, textOf, typeName, type Value } from "./values.ts";

/** Looks up an attribute (`isAttribute`) or item of a value, as templates do. */
export type Lookup = (value: Value, name: string | bigint, isAttribute: boolean) => Value;

const specification =
  /^(?:([\s\S])?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u;

/**
 * `format(value, spec)`.
 * @throws TemplateFailure when the value cannot be written so
 */
function formatValue(value: Value, spec: string, meter: Meter): string {
  if (spec === "") return toText(value, meter);
  const text = textOf(value);
  const number = numberOf(value);
  if (text === undefined && number === undefined) {
    const name = value === null ? "NoneType" : typeName(value);
    return fail("TypeError", `unsupported format string passed to ${name}.__format__`);
  }
  const match = specification.exec(spec);
  if (!match) return fail("ValueError", `Invalid format specifier '${spec}'`);
  if (text !== undefined) return formatText(text, match, meter);
  return formatNumber(number ?? 0n, match, meter);
}

function formatText(text: string, match: RegExpExecArray, meter: Meter): string {
  const [, fill, align, sign, negativeZero, alternate, zero, width, grouping, precision, type] =
    match;
  if (sign || negativeZero || alternate || grouping || align === "=" || (type && type !== "s")) {
    return fail("ValueError", `this format is not allowed for text: '${match[0]}'`);
  }
  const cut = precision === undefined ? text : pointsOf(text).slice(0, Number(precision)).join("");
  const size = checkWidth(Number(width ?? 0), meter);
  const filling = fill ?? (zero ? "0" : " ");
  return alignText({ sign: "", prefix: "", digits: cut }, align ?? "<", size, filling);
}

function formatNumber(value: bigint | number, match: RegExpExecArray, meter: Meter): string {
  const [, fill, align, sign, , alternate, zero, width, grouping, precision, type] = match;
  const isInt = typeof value === "bigint";
  const allowed = isInt ? "bcdoxXneEfFgG%" : "eEfFgGn%";
  if (type !== undefined && !allowed.includes(type)) {
    return fail("ValueError", `Unknown format code '${type}' for a number`);
  }
  const size = checkWidth(Number(width ?? 0), meter);
  if (type === "c" && isInt) {
    const point = String.fromCodePoint(Number(value));
    return alignText({ sign: "", prefix: "", digits: point }, align ?? "<", size, fill ?? " ");
  }
  if (isInt && precision !== undefined && !"eEfFgG%".includes(type ?? "d")) {
    return fail("ValueError", "Precision not allowed in integer format specifier");
  }
  const format: NumberFormat = {
    type: type === "n" ? (isInt ? "d" : "g") : (type ?? (isInt ? "d" : "")),
    precision: precision === undefined ? null : Number(precision),
    alternate: alternate !== undefined,
    grouping: grouping ?? "",
    sign: sign === "-" || sign === undefined ? "" : sign,
  };
  const written = writeNumber(value, format);
  const between = align ?? (zero ? "=" : ">");
  return alignText(written, between, size, fill ?? (zero ? "0" : " "));
}

interface Field {
  readonly name: string;
  readonly conversion: string;
  readonly spec: string;
}

/** Reads the fields of a text for `str.format`. */
class FieldReader {
  private readonly text: string;
  private place = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Returns the next plain text and, unless the text ends there, the field behind it. */
  next(): { readonly plain: string; readonly field: Field | null } | null {
    const { text } = this;
    if (this.place >= text.length) return null;
    let plain = "";
    while (this.place < text.length) {
      const mark = text[this.place++];
      if (mark !== "{" && mark !== "}") plain += mark;
      else if (text[this.place] === mark) plain += text[this.place++];
      else if (mark === "}") fail("ValueError", "Single '}' encountered in format string");
      else return { plain, field: this.field() };
    }
    return { plain, field: null };
  }

  private field(): Field {
    const { text } = this;
    const start = this.place;
    for (let depth = 1; depth > 0; this.place++) {
      if (this.place >= text.length) fail("ValueError", "expected '}' before end of string");
      if (text[this.place] === "{") depth++;
      else if (text[this.place] === "}") depth--;
    }
    const inner = text.slice(start, this.place - 1);
    const end = /^(?:[^[\]!:]|\[[^\]]*\])*/.exec(inner)?.[0] ?? "";
    const rest = inner.slice(end.length);
    if (!rest.startsWith("!")) return { name: end, conversion: "", spec: rest.slice(1) };
    const [, conversion, spec] = /^!([\s\S])(?::([\s\S]*))?$/.exec(rest) ?? [];
    if (conversion === undefined)
      return fail("ValueError", "expected ':' after conversion specifier");
    return { name: end, conversion, spec: spec ?? "" };
  }
}

/** Writes `text.format(...)`. */
export class BraceFormatter {
  private readonly args: Arguments;
  private readonly lookup: Lookup;
  private readonly meter: Meter;
  private counted = 0;
  private numbering: "none" | "automatic" | "manual" = "none";

  constructor(args: Arguments, lookup: Lookup, meter: Meter) {
    [this.args, this.lookup, this.meter] = [args, lookup, meter];
  }

  /** @throws TemplateFailure when the arguments do not fit the text */
  format(text: string, depth = 2): string {
    if (depth < 0) return fail("ValueError", "Max string recursion exceeded");
    this.meter.parts(text.length);
    const reader = new FieldReader(text);
    const parts: string[] = [];
    for (let part = reader.next(); part; part = reader.next()) {
      this.meter.step();
      parts.push(this.meter.text(part.plain));
      if (part.field) parts.push(this.meter.text(this.write(part.field, depth)));
    }
    return parts.join("");
  }

  private write({ name, conversion, spec }: Field, depth: number): string {
    const value = this.convert(this.valueOf(name), conversion);
    return formatValue(value, this.format(spec, depth - 1), this.meter);
  }

  private convert(value: Value, conversion: string): Value {
    if (conversion === "") return value;
    if (conversion === "s") return toText(value, this.meter);
    if (conversion === "r") return repr(value, this.meter);
    const text = textOf(value);
    if (conversion === "a") return text === undefined ? repr(value, this.meter) : quote(text, true);
    return fail("ValueError", `Unknown conversion specifier ${conversion}`);
  }

  private valueOf(path: string): Value {
    const [first] = /^[^.[]*/.exec(path) ?? [""];
    let value = this.argument(first);
    const rest = path.slice(first.length);
    const steps = [...rest.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)];
    if (steps.reduce((sum, [step]) => sum + step.length, 0) !== rest.length) {
      fail("ValueError", `Empty attribute in format string`);
    }
    for (const [, attribute, item] of steps) {
      const name = /^\d+$/.test(item ?? "") ? BigInt(item) : (item ?? attribute);
      value = this.lookup(value, name, attribute !== undefined);
    }
    return value;
  }

  private argument(name: string): Value {
    const { positional, named } = this.args;
    if (name !== "" && !/^\d+$/.test(name)) {
      return orElse(named.get(name), () => fail("LookupError", `no argument '${name}'`));
    }
    const numbering = name === "" ? "automatic" : "manual";
    if (this.numbering !== "none" && this.numbering !== numbering) {
      fail("ValueError", "cannot mix automatic field numbering with numbers");
    }
    this.numbering = numbering;
    const index = name === "" ? this.counted++ : Number(name);
    if (index >= positional.length) fail("LookupError", `no argument ${index}`);
    return positional[index];
  }
}
