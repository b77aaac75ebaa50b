import { fail } from "./failure.ts";

/** A finite float as a fraction: its exact value is `numerator / denominator`. */
function fractionOf(value: number): { numerator: bigint; denominator: bigint } {
  let numerator = value;
  let halvings = 0;
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    halvings++;
  }
  return { numerator: BigInt(numerator), denominator: 1n << BigInt(halvings) };
}

/** Divides and rounds to the nearest int, halves to the even one. */
function divideToEven(numerator: bigint, denominator: bigint): bigint {
  let quotient = numerator / denominator;
  let rest = numerator % denominator;
  if (rest < 0n) {
    quotient -= 1n;
    rest += denominator;
  }
  const twice = rest * 2n;
  const up = twice > denominator || (twice === denominator && quotient % 2n !== 0n);
  return up ? quotient + 1n : quotient;
}

/** The int next to `value · 10^digits`, computed exactly. */
function scaleToInt(value: number, digits: number): bigint {
  const { numerator, denominator } = fractionOf(value);
  return digits >= 0
    ? divideToEven(numerator * 10n ** BigInt(digits), denominator)
    : divideToEven(numerator, denominator * 10n ** BigInt(-digits));
}

/** Writes a finite float that is not negative with `digits` decimals, rounded exactly. */
export function fixedText(value: number, digits: number): string {
  const scaled = scaleToInt(value, digits)
    .toString()
    .padStart(digits + 1, "0");
  if (digits === 0) return scaled;
  return `${scaled.slice(0, -digits)}.${scaled.slice(-digits)}`;
}

/** Digits of a finite float that is not negative, `count` of them, and the power of the first. */
function scientificDigits(value: number, count: number): { digits: string; exponent: number } {
  if (value === 0) return { digits: "0".repeat(count), exponent: 0 };
  let exponent = Number(value.toExponential(20).split("e")[1]);
  let digits = scaleToInt(value, count - 1 - exponent).toString();
  if (digits.length > count) {
    exponent++;
    digits = digits.slice(0, count);
  }
  return { digits, exponent };
}

/** Writes a float as `%e` does, with `digits` decimals. */
export function exponentText(value: number, digits: number): string {
  const { digits: all, exponent } = scientificDigits(value, digits + 1);
  const mantissa = digits === 0 ? all : `${all[0]}.${all.slice(1)}`;
  return `${mantissa}e${powerText(exponent)}`;
}

function powerText(exponent: number): string {
  return `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/**
 * Writes a float as `%g` does, with `precision` digits. `zeros`: as `%#g`, with the zeros at the
 * end. `point`: as `{:.3}`, never without a decimal.
 */
export function generalText(
  value: number,
  precision: number,
  style: "short" | "zeros" | "point" = "short",
): string {
  const count = Math.max(1, precision);
  const { digits, exponent } = scientificDigits(value, count);
  const trim = (text: string): string =>
    style === "zeros" || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
  if (exponent < -4 || exponent >= (style === "point" ? count - 1 : count)) {
    const mantissa = count === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
    return `${trim(mantissa)}e${powerText(exponent)}`;
  }
  const fixed = trim(fixedText(value, count - 1 - exponent));
  return style === "point" && !fixed.includes(".") ? `${fixed}.0` : fixed;
}

/**
 * `round(value, digits)` of a float: exact, halves to the even digit.
 * @throws TemplateFailure when the result is beyond a float
 */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value) || value === 0 || digits > 323) return value;
  if (digits < -308) return value < 0 ? -0 : 0;
  const scaled = scaleToInt(value, digits);
  if (scaled === 0n) return value < 0 ? -0 : 0;
  const rounded = Number(`${scaled}e${-digits}`);
  if (!Number.isFinite(rounded)) fail("OverflowError", "rounded value too large to represent");
  return rounded;
}
