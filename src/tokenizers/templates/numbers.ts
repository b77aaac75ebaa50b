import { fail } from "./failure.ts";
import { strip } from "./text.ts";
import type { Value } from "./values.ts";

/** Most bits of an int; Python's own limit on printing one is 4300 digits, some 14,000 bits. */
const mostBits = 20_000;

/** Returns a number's value as int or float; a bool is 0 or 1. undefined for anything else. */
export function numberOf(value: Value): bigint | number | undefined {
  if (typeof value === "bigint" || typeof value === "number") return value;
  return typeof value === "boolean" ? (value ? 1n : 0n) : undefined;
}

/** Returns an int's or bool's value. undefined for anything else. */
export function intOf(value: Value | undefined): bigint | undefined {
  if (typeof value === "bigint") return value;
  return typeof value === "boolean" ? (value ? 1n : 0n) : undefined;
}

/** Number of bits of an int. */
export function bitsOf(value: bigint): number {
  return value.toString(16).length * 4;
}

/** @throws TemplateFailure when an int is larger than any template needs */
export function checkInt(value: bigint): bigint {
  if (bitsOf(value) > mostBits) fail("Limit", `makes a number of more than ${mostBits} bits`);
  return value;
}

/** Turns an int into a float. @throws TemplateFailure when it is too large */
export function toFloat(value: bigint | number): number {
  const float = Number(value);
  if (typeof value === "bigint" && !Number.isFinite(float)) {
    fail("OverflowError", "int too large to convert to float");
  }
  return float;
}

/** `repr` of a float: the shortest digits, `1e+16` and `1e-05` where Python changes over. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const exponent = value === 0 ? 0 : Number(value.toExponential().split("e")[1]);
  if (exponent >= 16 || exponent < -4) {
    const [digits, power] = value.toExponential().split("e");
    return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  }
  if (!Number.isInteger(value)) return String(value);
  return `${BigInt(value)}.0`;
}

/** Longest text that Python takes for an int. */
const mostDigits = 4300;
const spacedDigits = /^[+-]?\d+(_\d+)*$/;
const floatForm = /^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/i;
const namedFloats = /^([+-]?)(inf|infinity|nan)$/i;

/** `float(text)`; undefined when it is none. */
export function parseFloatText(text: string): number | undefined {
  const trimmed = asciiDigits(strip(text, "both"));
  const named = namedFloats.exec(trimmed);
  if (named) {
    const size = named[2].toLowerCase() === "nan" ? Number.NaN : Number.POSITIVE_INFINITY;
    return named[1] === "-" ? -size : size;
  }
  return floatForm.test(trimmed) ? Number(trimmed.replaceAll("_", "")) : undefined;
}

const prefixes: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16 };

/** `int(text, base)`; undefined when it is none. */
export function parseIntText(text: string, base: number): bigint | undefined {
  const trimmed = asciiDigits(strip(text, "both")).toLowerCase();
  if (trimmed.length > mostDigits) return undefined;
  if (base === 10) {
    return spacedDigits.test(trimmed)
      ? BigInt(trimmed.replaceAll("_", "").replace("+", ""))
      : undefined;
  }
  const [, sign, prefix, digits] = /^([+-]?)(?:0([box])_?)?([0-9a-z_]*)$/.exec(trimmed) ?? [];
  if (digits === undefined) return undefined;
  return parseDigits(sign, prefix, digits, base);
}

function parseDigits(
  sign: string,
  prefix: string | undefined,
  digits: string,
  base: number,
): bigint | undefined {
  // In a base beyond 10 the letter of the prefix may be a digit.
  const isPrefix = prefix !== undefined && (base === 0 || prefixes[prefix] === base);
  const radix = base !== 0 ? base : isPrefix ? prefixes[prefix] : 10;
  const written = prefix !== undefined && !isPrefix ? `0${prefix}${digits}` : digits;
  if (!/^[0-9a-z]+(_[0-9a-z]+)*$/.test(written)) return undefined;
  const plain = written.replaceAll("_", "");
  if (base === 0 && !isPrefix && plain.length > 1 && /^0*[1-9]/.test(plain) && plain[0] === "0") {
    return undefined;
  }
  let value = 0n;
  for (const digit of plain) {
    const worth = Number.parseInt(digit, 36);
    if (worth >= radix) return undefined;
    value = value * BigInt(radix) + BigInt(worth);
  }
  return sign === "-" ? -value : value;
}

/** Writes decimal digits of any script as 0 to 9. */
function asciiDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) ?? 0;
    if (code < 128) return digit;
    // Digits of a script stand together in tens, so that the one for 0 is the first of them.
    let zero = code;
    while (zero > code - 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
    return String((code - zero) % 10);
  });
}

/** `int(value)` of a float. @throws TemplateFailure for NaN and infinity */
export function truncate(value: number): bigint {
  if (Number.isNaN(value)) fail("ValueError", "cannot convert float NaN to integer");
  if (!Number.isFinite(value)) fail("OverflowError", "cannot convert float infinity to integer");
  return BigInt(Math.trunc(value));
}
