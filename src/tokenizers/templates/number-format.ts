import { exponentText, fixedText, generalText } from "./decimals.ts";
import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { floatText, numberOf, toFloat, truncate } from "./numbers.ts";
import { pad } from "./text.ts";
import { textSize, type Value, typeName } from "./values.ts";

/** How a number is written: what stands in `%5.2f` or `{:>5.2f}`. */
export interface NumberFormat {
  /** `d b o x X c` for ints, `e f g %` and their capitals for floats. */
  readonly type: string;
  readonly precision: number | null;
  /** `0x` in front, or zeros that `g` leaves out. */
  readonly alternate: boolean;
  /** Mark between groups of digits, or nothing. */
  readonly grouping: string;
  /** What stands before a number that is not negative: nothing, a space or a plus. */
  readonly sign: string;
}

/** Most digits behind the point of a float: computing more would take long. */
const mostDigits = 10_000;

/** Counts a width before a text is filled up to it. */
export function checkWidth(width: number, meter: Meter): number {
  meter.take(width);
  return width;
}

function floatDigits(value: number, { type, precision, alternate }: NumberFormat): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return "inf";
  switch (type.toLowerCase()) {
    case "f":
      return fixedText(value, precision ?? 6);
    case "e":
      return exponentText(value, precision ?? 6);
    case "%":
      return `${fixedText(value * 100, precision ?? 6)}%`;
    case "g":
      return generalText(value, precision ?? 6, alternate ? "zeros" : "short");
    default:
      return precision === null ? floatText(value) : generalText(value, precision, "point");
  }
}

const radixes: Readonly<Record<string, readonly [radix: number, prefix: string]>> = {
  b: [2, "0b"],
  o: [8, "0o"],
  x: [16, "0x"],
  X: [16, "0X"],
};

/** Splits a number into its sign, what stands in front of the digits, and the digits. */
export interface WrittenNumber {
  readonly sign: string;
  readonly prefix: string;
  readonly digits: string;
}

/**
 * Writes a number without padding.
 * @throws TemplateFailure when the type does not fit the value
 */
export function writeNumber(value: bigint | number, format: NumberFormat): WrittenNumber {
  if ((format.precision ?? 0) > mostDigits) fail("Limit", `writes more than ${mostDigits} digits`);
  const negative = value < 0 || Object.is(value, -0);
  const sign = negative ? "-" : format.sign;
  if (typeof value === "number" || (format.type !== "" && "eEfFgG%".includes(format.type))) {
    const digits = floatDigits(Math.abs(toFloat(value)), format);
    const cased = /[EFG]/.test(format.type) ? digits.toUpperCase() : digits;
    return { sign, prefix: "", digits: group(cased, format.grouping, 3) };
  }
  const size = value < 0n ? -value : value;
  const [radix, prefix] = radixes[format.type] ?? [10, ""];
  const digits = size.toString(radix);
  const cased = format.type === "X" ? digits.toUpperCase() : digits;
  return {
    sign,
    prefix: format.alternate ? prefix : "",
    digits: group(cased, format.grouping, radix === 10 ? 3 : 4),
  };
}

/** Puts marks between groups of the digits before the point. */
function group(digits: string, mark: string, size: number): string {
  if (mark === "") return digits;
  const [, whole, rest] = /^([0-9a-zA-Z]*)(.*)$/.exec(digits) ?? ["", digits, ""];
  const [, before = "", exponent = ""] =
    size === 3 ? (/^(\d*)(.*)$/.exec(whole) ?? []) : ["", whole];
  const parts: string[] = [];
  for (let end = before.length; end > 0; end -= size) {
    parts.unshift(before.slice(Math.max(0, end - size), end));
  }
  return parts.join(mark) + exponent + rest;
}

/** Fills a text or written number up to a width. `=` fills between sign and digits. */
export function alignText(
  { sign, prefix, digits }: WrittenNumber,
  align: string,
  width: number,
  fill: string,
): string {
  const front = sign + prefix;
  if (align === "=") return front + pad(digits, width - front.length, fill, "left");
  const text = front + digits;
  if (align === "^") {
    const missing = Math.max(0, width - textSize(text));
    const left = Math.floor(missing / 2);
    return fill.repeat(left) + text + fill.repeat(missing - left);
  }
  return pad(text, width, fill, align === ">" ? "left" : "right");
}

/**
 * Returns the int that `%d` writes.
 * @throws TemplateFailure for anything but a number
 */
export function integerFor(value: Value, type: string): bigint {
  const number = numberOf(value);
  if (typeof number === "bigint") return number;
  if (number !== undefined && "diu".includes(type)) return truncate(number);
  const kind = "diu".includes(type) ? "a real number" : "an integer";
  return fail("TypeError", `%${type} format: ${kind} is required, not ${typeName(value)}`);
}
