import { Dict, newList } from "./dict.ts";
import { fail } from "./failure.ts";
import { escapeText } from "./escape.ts";
import { type Meter, valueBytes } from "./limits.ts";
import { bitsOf, checkInt, intOf, numberOf, toFloat } from "./numbers.ts";
import { formatPercent } from "./percent-format.ts";
import {
  List,
  Markup,
  Sequence,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** The operators between two values, without comparisons. */
export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "%" | "**";

type Arithmetic = {
  readonly ints: (a: bigint, b: bigint) => bigint | number;
  readonly floats: (a: number, b: number) => number;
};

function nonZero<T extends bigint | number>(value: T): T {
  return value ? value : fail("ZeroDivisionError", "division by zero");
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / nonZero(b);
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function floorModulo(a: bigint, b: bigint): bigint {
  const rest = a % nonZero(b);
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
}

function floatModulo(a: number, b: number): number {
  const rest = a % nonZero(b);
  if (rest === 0) return b < 0 ? -0 : 0;
  return rest < 0 !== b < 0 ? rest + b : rest;
}

/** As CPython does it: from the rest, so that quotient and rest fit together. */
function floatFloorDivide(a: number, b: number): number {
  const rest = a % nonZero(b);
  let quotient = (a - rest) / b;
  if (rest !== 0 && rest < 0 !== b < 0) quotient -= 1;
  if (quotient === 0) return a / b < 0 || Object.is(a / b, -0) ? -0 : 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

function powerOfInts(base: bigint, exponent: bigint): bigint | number {
  if (exponent < 0n) {
    if (base === 0n) fail("ZeroDivisionError", "0.0 cannot be raised to a negative power");
    return powerOfFloats(toFloat(base), toFloat(exponent));
  }
  const isSmall = base >= -1n && base <= 1n;
  if (!isSmall && BigInt(bitsOf(base)) * exponent > 80_000n)
    fail("Limit", "makes too large a number");
  return checkInt(isSmall && exponent > 2n ? base ** (2n + (exponent % 2n)) : base ** exponent);
}

function powerOfFloats(base: number, exponent: number): number {
  if (base === 0 && exponent < 0) {
    fail("ZeroDivisionError", "0.0 cannot be raised to a negative power");
  }
  if (
    base < 0 &&
    Number.isFinite(base) &&
    Number.isFinite(exponent) &&
    !Number.isInteger(exponent)
  ) {
    fail("TypeError", "the result is a complex number");
  }
  if (base === 1 || exponent === 0) return 1;
  if (base === -1 && !Number.isFinite(exponent) && !Number.isNaN(exponent)) return 1;
  const power = base ** exponent;
  const overflows = !Number.isFinite(power) && Number.isFinite(base) && Number.isFinite(exponent);
  return overflows ? fail("OverflowError", "result too large") : power;
}

const arithmetic: Readonly<Record<BinaryOperator, Arithmetic>> = {
  "+": { ints: (a, b) => checkInt(a + b), floats: (a, b) => a + b },
  "-": { ints: (a, b) => checkInt(a - b), floats: (a, b) => a - b },
  "*": { ints: (a, b) => checkInt(a * b), floats: (a, b) => a * b },
  "/": {
    ints: (a, b) => toFloat(a) / toFloat(nonZero(b)),
    floats: (a, b) => a / nonZero(b),
  },
  "//": { ints: floorDivide, floats: floatFloorDivide },
  "%": { ints: floorModulo, floats: floatModulo },
  "**": { ints: powerOfInts, floats: powerOfFloats },
};

/** Adds texts, lists or tuples. undefined when `a` and `b` are no two of one kind. */
function concatenate(a: Value, b: Value, meter: Meter): Value | undefined {
  const [left, right] = [textOf(a), textOf(b)];
  if (left !== undefined && right !== undefined) return addTexts(a, b, meter);
  if (a instanceof List && b instanceof List) {
    meter.take(8 * (a.items.length + b.items.length));
    return new List([...a.items, ...b.items]);
  }
  if (a instanceof Tuple && b instanceof Tuple) {
    meter.take(8 * (a.items.length + b.items.length));
    return new Tuple([...a.items, ...b.items]);
  }
  return undefined;
}

/** Longest text that adding texts makes. */
const longestText = 16_000_000;

function addTexts(a: Value, b: Value, meter: Meter): Value {
  const escaped = a instanceof Markup || b instanceof Markup;
  const part = (value: Value): string =>
    value instanceof Markup
      ? value.text
      : escaped
        ? escapeText(textOf(value) ?? "")
        : (textOf(value) ?? "");
  const [left, right] = [part(a), part(b)];
  // The engine keeps both parts and copies neither, until the sum is read.
  meter.take(Math.min(left.length, right.length, valueBytes));
  if (left.length + right.length > longestText) {
    fail("Limit", `makes a text of more than ${longestText} characters`);
  }
  return escaped ? new Markup(left + right) : left + right;
}

/** Repeats a text, list or tuple. undefined when neither `a` nor `b` is one. */
function repeat(a: Value, b: Value, meter: Meter): Value | undefined {
  const isRepeated = (value: Value): boolean =>
    textOf(value) !== undefined || value instanceof Sequence;
  const [what, times] = isRepeated(a) ? [a, intOf(b)] : [b, intOf(a)];
  if (times === undefined || !isRepeated(what)) return undefined;
  const count = Number(times < 0n ? 0n : times);
  const text = textOf(what);
  if (text !== undefined) {
    meter.take(text.length * count);
    return what instanceof Markup ? new Markup(text.repeat(count)) : text.repeat(count);
  }
  if (!(what instanceof Sequence)) return undefined;
  meter.take(8 * what.items.length * count);
  const items = Array.from(
    { length: what.items.length * count },
    (_, i) => what.items[i % what.items.length],
  );
  return what instanceof Tuple ? new Tuple(items) : newList(items, meter);
}

function modulo(a: Value, b: Value, meter: Meter): Value | undefined {
  const text = textOf(a);
  if (text === undefined) return undefined;
  if (!(a instanceof Markup)) return formatPercent(text, b, meter);
  return new Markup(formatPercent(text, escapeAll(b), meter));
}

function escapeAll(value: Value): Value {
  if (typeof value === "string") return escapeText(value);
  if (value instanceof Tuple) return new Tuple(value.items.map(escapeAll));
  if (!(value instanceof Dict)) return value;
  return new Dict(Array.from(value.pairs(), ([key, item]) => [key, escapeAll(item)] as const));
}

function onObjects(a: Value, b: Value, operator: BinaryOperator, meter: Meter): Value | undefined {
  if (operator === "+") return concatenate(a, b, meter);
  if (operator === "*") return repeat(a, b, meter);
  return operator === "%" ? modulo(a, b, meter) : undefined;
}

/**
 * `a operator b`.
 * @throws TemplateFailure when the operator does not take such values, or for something undefined
 */
export function operate(a: Value, b: Value, operator: BinaryOperator, meter: Meter): Value {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== undefined && right !== undefined) {
    const { ints, floats } = arithmetic[operator];
    if (typeof left === "bigint" && typeof right === "bigint") {
      const result = ints(left, right);
      if (typeof result === "bigint" && BigInt.asIntN(64, result) !== result)
        meter.take(bitsOf(result) / 8);
      return result;
    }
    return floats(toFloat(left), toFloat(right));
  }
  if (a instanceof Undefined) a.fail();
  if (b instanceof Undefined && !(operator === "%" && textOf(a) !== undefined)) b.fail();
  const result = onObjects(a, b, operator, meter);
  if (result !== undefined) return result;
  const types = `'${typeName(a)}' and '${typeName(b)}'`;
  return fail("TypeError", `unsupported operand type(s) for ${operator}: ${types}`);
}

/** `-a` or `+a`. @throws TemplateFailure for what is no number */
export function negate(value: Value, operator: "-" | "+"): Value {
  const number = numberOf(value);
  if (number !== undefined) return operator === "+" ? number : -number;
  if (value instanceof Undefined) value.fail();
  return fail("TypeError", `bad operand type for unary ${operator}: '${typeName(value)}'`);
}
