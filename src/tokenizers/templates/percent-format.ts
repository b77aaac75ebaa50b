import { Dict } from "./dict.ts";
import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import {
  alignText,
  checkWidth,
  integerFor,
  type NumberFormat,
  writeNumber,
} from "./number-format.ts";
import { intOf, numberOf, toFloat } from "./numbers.ts";
import { quote, repr, toText } from "./repr.ts";
import { countText, pad, pointsOf } from "./text.ts";
import {
  List,
  orElse,
  Range,
  textOf,
  textSize,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

const directive =
  /%(?:\(((?:[^()]|\([^()]*\))*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]?([\s\S])?/g;

/** Hands out the values of `text % values` one by one. */
class ValueSource {
  private readonly values: Value;
  private next = 0;
  private usedNames = false;

  constructor(values: Value) {
    this.values = values;
  }

  take(): Value {
    const { values } = this;
    const all = values instanceof Tuple ? values.items : [values];
    if (this.next >= all.length) fail("TypeError", "not enough arguments for format string");
    return all[this.next++];
  }

  named(name: string): Value {
    if (!(this.values instanceof Dict)) fail("TypeError", "format requires a mapping");
    this.usedNames = true;
    return orElse(this.values.get(name), () => fail("LookupError", `no key '${name}'`));
  }

  number(): number {
    const value = intOf(this.take());
    if (value === undefined) fail("TypeError", "* wants int");
    return Number(value);
  }

  /** @throws TemplateFailure when values are left that must have been used */
  finish(): void {
    const { values } = this;
    const count = values instanceof Tuple ? values.items.length : 1;
    // A dict (and a list, which can be subscripted too) may stay unused.
    const mayStay = [Dict, List, Range, Undefined].some((kind) => values instanceof kind);
    if (this.next < count && !this.usedNames && !mayStay) {
      fail("TypeError", "not all arguments converted during string formatting");
    }
  }
}

/** Parts of one directive. */
interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | null;
  readonly type: string;
}

/**
 * `text % values`.
 * @throws TemplateFailure when the values do not fit the text
 */
export function formatPercent(text: string, values: Value, meter: Meter): string {
  const source = new ValueSource(values);
  meter.take(text.length);
  meter.parts(countText(text, "%"));
  const formatted = text.replace(directive, (whole, name, flags, width, precision, type) => {
    if (type === undefined) return fail("ValueError", "incomplete format");
    if (type === "%" && whole === "%%") return "%";
    meter.step();
    const value = name === undefined ? undefined : source.named(name);
    const given = width === "*" ? source.number() : Number(width ?? 0);
    const digits = precision === "*" ? source.number() : Number(precision || 0);
    const parts: Directive = {
      flags: given < 0 ? `${flags}-` : flags,
      width: checkWidth(Math.abs(given), meter),
      precision: precision === undefined ? null : Math.max(0, digits),
      type,
    };
    if (type === "%") return "%";
    return meter.text(writeDirective(value === undefined ? source.take() : value, parts, meter));
  });
  source.finish();
  return formatted;
}

function writeDirective(value: Value, parts: Directive, meter: Meter): string {
  const { type, precision, width, flags } = parts;
  if ("sra".includes(type)) {
    const written = type === "s" ? toText(value, meter) : textForm(value, type, meter);
    const cut = precision === null ? written : pointsOf(written).slice(0, precision).join("");
    return pad(cut, width, " ", flags.includes("-") ? "right" : "left");
  }
  if (type === "c")
    return pad(characterOf(value), width, " ", flags.includes("-") ? "right" : "left");
  if (!"diuoxXeEfFgG".includes(type)) {
    return fail("ValueError", `unsupported format character '${type}'`);
  }
  return writeNumeric(value, parts, meter);
}

function textForm(value: Value, type: string, meter: Meter): string {
  const text = textOf(value);
  if (type === "a" && text !== undefined) return quote(text, true);
  return repr(value, meter);
}

function characterOf(value: Value): string {
  const text = textOf(value);
  if (text !== undefined && textSize(text) === 1) return text;
  const code = intOf(value);
  if (code === undefined) return fail("TypeError", "%c requires int or char");
  if (code < 0n || code > 0x10ffffn) return fail("OverflowError", "%c arg not in range(0x110000)");
  return String.fromCodePoint(Number(code));
}

function writeNumeric(
  value: Value,
  { type, precision, width, flags }: Directive,
  meter: Meter,
): string {
  const isFloat = "eEfFgG".includes(type);
  const number = isFloat ? floatFor(value) : integerFor(value, type);
  const format: NumberFormat = {
    type: "iu".includes(type) ? "d" : type,
    precision: isFloat ? precision : null,
    alternate: flags.includes("#"),
    grouping: "",
    sign: flags.includes("+") ? "+" : flags.includes(" ") ? " " : "",
  };
  const written = writeNumber(number, format);
  const digits = isFloat
    ? written.digits
    : pad(written.digits, checkWidth(precision ?? 0, meter), "0", "left");
  const finite = /\d/.test(digits);
  const align = flags.includes("-") ? "<" : flags.includes("0") && finite ? "=" : ">";
  return alignText({ ...written, digits }, align, width, align === "=" ? "0" : " ");
}

function floatFor(value: Value): number {
  const number = numberOf(value);
  if (number !== undefined) return toFloat(number);
  return fail("TypeError", `must be real number, not ${typeName(value)}`);
}
