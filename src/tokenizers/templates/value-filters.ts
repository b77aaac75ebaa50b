import { roundFloat } from "./decimals.ts";
import type { Filter } from "./engine.ts";
import { fail } from "./failure.ts";
import { toJson } from "./json.ts";
import { checkWidth } from "./number-format.ts";
import { intOf, numberOf, parseFloatText, parseIntText, toFloat, truncate } from "./numbers.ts";
import { bind, toInt, toStr } from "./parameters.ts";
import { attributeOf } from "./methods.ts";
import { getAttribute } from "./lookup.ts";
import { prettyPrint } from "./pretty-print.ts";
import { isTrue, Sequence, textOf, typeName, Undefined, type Value } from "./values.ts";

const defaultTo: Filter = (args) => {
  const [value = null, otherwise = "", boolean = false] = bind(
    "default",
    args,
    ["value", "default_value", "boolean"],
    1,
  );
  const isMissing = value instanceof Undefined || (isTrue(boolean) && !isTrue(value));
  return isMissing ? otherwise : value;
};

/** `float(value)` of a number or text; undefined where Python raises TypeError or ValueError. */
function asFloat(value: Value): number | undefined {
  if (value instanceof Undefined) value.fail();
  const number = numberOf(value);
  if (number !== undefined) return toFloat(number);
  const text = textOf(value);
  return text === undefined ? undefined : parseFloatText(text);
}

const float: Filter = (args) => {
  const [value = null, otherwise = 0] = bind("float", args, ["value", "default"], 1);
  return asFloat(value) ?? otherwise;
};

const int: Filter = (args) => {
  const [value = null, otherwise = 0n, base] = bind("int", args, ["value", "default", "base"], 1);
  if (value instanceof Undefined) value.fail();
  const whole = intOf(value);
  if (whole !== undefined) return whole;
  const text = textOf(value);
  const radix = toInt(base, 10);
  const parsed = text === undefined || !isBase(radix) ? undefined : parseIntText(text, radix);
  if (parsed !== undefined) return parsed;
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) truncate(value);
  const number = asFloat(value);
  return number === undefined || !Number.isFinite(number) ? otherwise : truncate(number);
};

function isBase(radix: number): boolean {
  return radix === 0 || (radix >= 2 && radix <= 36);
}

const abs: Filter = (args) => {
  const [value = null] = bind("abs", args, ["x"], 1);
  const number = numberOf(value);
  if (number === undefined) {
    if (value instanceof Undefined) value.fail();
    return fail("TypeError", `bad operand type for abs(): '${typeName(value)}'`);
  }
  return typeof number === "number" ? Math.abs(number) : number < 0n ? -number : number;
};

const round: Filter = (args) => {
  const [value = null, precision, method = "common"] = bind(
    "round",
    args,
    ["value", "precision", "method"],
    1,
  );
  if (method !== "common" && method !== "ceil" && method !== "floor") {
    fail("ValueError", "method must be common, ceil or floor");
  }
  if (value instanceof Undefined) value.fail();
  const number = numberOf(value);
  if (number === undefined)
    return fail("TypeError", `type ${typeName(value)} doesn't define __round__`);
  if (precision === null && method === "common") {
    return typeof number === "bigint" ? number : truncate(roundFloat(number, 0));
  }
  const digits = toInt(precision, 0);
  if (method === "common") {
    return typeof number === "bigint" ? roundInt(number, digits) : roundFloat(number, digits);
  }
  const factor = 10 ** digits;
  const scaled = Math[method](toFloat(number) * factor);
  if (!Number.isFinite(scaled)) fail("OverflowError", "cannot convert float infinity to integer");
  return scaled / factor;
};

function roundInt(value: bigint, digits: number): bigint {
  if (digits >= 0) return value;
  if (digits < -4300) return 0n;
  const unit = 10n ** BigInt(-digits);
  const rest = ((value % unit) + unit) % unit;
  const down = value - rest;
  const up = rest * 2n > unit || (rest * 2n === unit && (down / unit) % 2n !== 0n);
  return up ? down + unit : down;
}

const tojson: Filter = (args, { meter }) => {
  const [value = null, ascii = false, indent = null, separators = null, sortKeys = false] = bind(
    "tojson",
    args,
    ["x", "ensure_ascii", "indent", "separators", "sort_keys"],
    1,
  );
  const margin =
    indent === null
      ? null
      : (textOf(indent) ?? " ".repeat(checkWidth(Math.max(0, toInt(indent, 0)), meter)));
  const [item, key] =
    separators === null ? [indent === null ? ", " : ",", ": "] : pairOf(separators);
  const style = {
    ensureAscii: isTrue(ascii),
    indent: margin,
    itemSeparator: item,
    keySeparator: key,
    sortKeys: isTrue(sortKeys),
  };
  return toJson(value, style, meter);
};

function pairOf(value: Value): readonly [string, string] {
  if (!(value instanceof Sequence) || value.items.length !== 2) {
    return fail("ValueError", "separators are a pair of texts");
  }
  return [toStr(value.items[0]), toStr(value.items[1])];
}

const attr: Filter = (args, { meter }) => {
  const [value = null, name = null] = bind("attr", args, ["obj", "name"], 2);
  const text = toStr(name);
  const has = attributeOf(value, text, () => fail("TypeError", "no lookup")) !== undefined;
  return has ? getAttribute(value, text, meter) : new Undefined(`no attribute '${text}'`);
};

const filesizeformat: Filter = (args) => {
  const [value = null, binary = false] = bind("filesizeformat", args, ["value", "binary"], 1);
  const bytes = asFloat(value);
  if (bytes === undefined) return fail("ValueError", "could not convert to float");
  const base = isTrue(binary) ? 1024 : 1000;
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${truncate(bytes)} Bytes`;
  const names = isTrue(binary)
    ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
  const found = names.findIndex((_, i) => bytes < base ** (i + 2));
  const place = found < 0 ? names.length - 1 : found;
  return `${roundFloat((base * bytes) / base ** (place + 2), 1).toFixed(1)} ${names[place]}`;
};

const pprint: Filter = (args, { meter }) => {
  const [value = null] = bind("pprint", args, ["value"], 1);
  return prettyPrint(value, meter);
};

const urlize: Filter = () =>
  fail("ValueError", "makes HTML links with urlize, which fewbit does not do");

/** Filters of any value. */
export const valueFilters: ReadonlyMap<string, Filter> = new Map([
  ["default", defaultTo],
  ["d", defaultTo],
  ["float", float],
  ["int", int],
  ["abs", abs],
  ["round", round],
  ["tojson", tojson],
  ["attr", attr],
  ["filesizeformat", filesizeformat],
  ["pprint", pprint],
  ["urlize", urlize],
]);
