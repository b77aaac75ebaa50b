import { itemsOf, newList } from "./dict.ts";
import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { checkWidth } from "./number-format.ts";
import { bind, bindPositional, toInt, toStr } from "./parameters.ts";
import { sliceValue } from "./slices.ts";
import * as texts from "./text.ts";
import {
  type Arguments,
  isNarrow,
  isTrue,
  textOf,
  textSize,
  Tuple,
  typeName,
  type Value,
} from "./values.ts";

/** A method of `str`: the text, what it is called with, the meter. */
type TextMethod = (text: string, args: Arguments, meter: Meter) => Value;

function stripMethod(ends: texts.Ends): TextMethod {
  return (text, args) => {
    const [chars = null] = bindPositional("strip", args, 0, 1);
    return texts.strip(text, ends, chars === null ? undefined : toStr(chars));
  };
}

function splitMethod(fromRight: boolean): TextMethod {
  return (text, args, meter) => {
    const [separator = null, most] = bind("split", args, ["sep", "maxsplit"]);
    const limit = toInt(most, -1);
    if (separator === null) {
      meter.parts(texts.countWords(text));
      return newList(texts.splitAtSpaces(text, limit, fromRight), meter);
    }
    const by = toStr(separator);
    if (by === "") fail("ValueError", "empty separator");
    meter.parts(texts.countText(text, by));
    return newList(texts.splitAt(text, by, limit, fromRight), meter);
  };
}

/** `startswith`, `endswith`, `find`, `count`, …: a part, and where to look for it. */
function window(
  text: string,
  args: Arguments,
  meter: Meter,
): { part: Value; within: string; from: number } {
  const [part, start = null, stop = null] = bindPositional("this method", args, 1, 3);
  if (start === null && stop === null) return { part, within: text, from: 0 };
  const within = sliceValue(text, { start, stop, step: null }, meter) as string;
  const size = textSize(text);
  const first = toInt(start ?? 0n, 0);
  const from = first < 0 ? Math.max(0, first + size) : first;
  return { part, within, from };
}

function affixMethod(test: "startsWith" | "endsWith"): TextMethod {
  return (text, args, meter) => {
    const { part, within, from } = window(text, args, meter);
    const parts = part instanceof Tuple ? part.items : [part];
    return parts.some((one) => {
      const affix = textOf(one);
      if (affix === undefined) {
        return fail(
          "TypeError",
          `${test} first arg must be str or a tuple of str, not ${typeName(one)}`,
        );
      }
      return from <= textSize(text) && within[test](affix);
    });
  };
}

function findMethod(last: boolean, must: boolean): TextMethod {
  return (text, args, meter) => {
    const { part, within, from } = window(text, args, meter);
    const wanted = toStr(part);
    const at =
      from > textSize(text) ? -1 : last ? within.lastIndexOf(wanted) : within.indexOf(wanted);
    if (at < 0) return must ? fail("ValueError", "substring not found") : -1n;
    return BigInt(from + (isNarrow(within) ? at : textSize(within.slice(0, at))));
  };
}

function padMethod(side: "left" | "right" | "center"): TextMethod {
  return (text, args, meter) => {
    const [width, fill = " "] = bindPositional("this method", args, 1, 2);
    const filling = toStr(fill);
    if (textSize(filling) !== 1) fail("TypeError", "the fill character must be one character");
    const size = checkWidth(Math.max(0, toInt(width, 0)), meter);
    return side === "center"
      ? texts.centerText(text, size, filling)
      : texts.pad(text, size, filling, side);
  };
}

function partitionMethod(last: boolean): TextMethod {
  return (text, args) => {
    const [by] = bindPositional("partition", args, 1, 1).map((value) => toStr(value));
    if (by === "") fail("ValueError", "empty separator");
    const at = last ? text.lastIndexOf(by) : text.indexOf(by);
    if (at < 0) return new Tuple(last ? ["", "", text] : [text, "", ""]);
    return new Tuple([text.slice(0, at), by, text.slice(at + by.length)]);
  };
}

function plain(write: (text: string) => Value): TextMethod {
  return (text, args) => {
    bindPositional("this method", args, 0, 0);
    return write(text);
  };
}

/** A test that must hold for every character of a text that is not empty. */
function every(pattern: RegExp): TextMethod {
  return plain((text) => text !== "" && texts.pointsOf(text).every((point) => pattern.test(point)));
}

function zeroFill(text: string, width: number): string {
  const [, sign, digits] = /^([+-]?)([\s\S]*)$/.exec(text) ?? ["", "", text];
  return sign + texts.pad(digits, width - sign.length, "0", "left");
}

function expandTabs(text: string, size: number): string {
  let column = 0;
  return texts
    .pointsOf(text)
    .map((point) => {
      if (point === "\n" || point === "\r") column = 0;
      else if (point !== "\t") column++;
      else if (size <= 0) return "";
      else {
        const spaces = size - (column % size);
        column += spaces;
        return " ".repeat(spaces);
      }
      return point;
    })
    .join("");
}

/** `separator.join(values)`. @throws TemplateFailure when one of them is no text */
function joinTexts(separator: string, values: Value, meter: Meter): string {
  const parts = itemsOf(values, meter).map((item, index) => {
    const text = textOf(item);
    if (text !== undefined) return text;
    return fail(
      "TypeError",
      `sequence item ${index}: expected str instance, ${typeName(item)} found`,
    );
  });
  return joinParts(parts, separator, meter);
}

/** Joins texts and counts the result before it is built. */
export function joinParts(parts: readonly string[], separator: string, meter: Meter): string {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  meter.take(size + separator.length * Math.max(0, parts.length - 1));
  return parts.join(separator);
}

/** Replaces and counts the result before it is built. */
export function replaceParts(
  text: string,
  old: string,
  by: string,
  most: number,
  meter: Meter,
): string {
  const places = texts.countText(text, old);
  meter.parts(places);
  meter.take(text.length + by.length * (most < 0 ? places : Math.min(most, places)));
  return texts.replaceText(text, old, by, most);
}

const identifier = /^[\p{XIDS}_][\p{XIDC}]*$/u;
const printable = /^[^\p{C}\p{Z}]|^ $/u;
/** Chinese numerals. */
const numerals =
  "\u3405\u3483\u382a\u3b4d\u4e00\u4e03\u4e07\u4e09\u4e5d\u4e8c\u4e94\u4ebf\u4edf" +
  "\u5146\u516b\u516d\u5341\u56db\u767e\u842c";
const numeric = new RegExp(`[\\p{N}${numerals}]`, "u");
const digit = /[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468]/u;
const alphanumeric = /[\p{L}\p{N}]/u;

const methods: Readonly<Record<string, TextMethod>> = {
  strip: stripMethod("both"),
  lstrip: stripMethod("left"),
  rstrip: stripMethod("right"),
  split: splitMethod(false),
  rsplit: splitMethod(true),
  splitlines: (text, args, meter) => {
    const [keep = false] = bind("splitlines", args, ["keepends"]);
    return newList(texts.splitLines(text, isTrue(keep)), meter);
  },
  startswith: affixMethod("startsWith"),
  endswith: affixMethod("endsWith"),
  find: findMethod(false, false),
  rfind: findMethod(true, false),
  index: findMethod(false, true),
  rindex: findMethod(true, true),
  count: (text, args, meter) => {
    const { part, within, from } = window(text, args, meter);
    return from > textSize(text) ? 0n : BigInt(texts.countText(within, toStr(part)));
  },
  replace: (text, args, meter) => {
    const [old, by, most] = bindPositional("replace", args, 2, 3);
    return replaceParts(text, toStr(old), toStr(by), toInt(most, -1), meter);
  },
  join: (text, args, meter) => joinTexts(text, bindPositional("join", args, 1, 1)[0], meter),
  partition: partitionMethod(false),
  rpartition: partitionMethod(true),
  removeprefix: (text, args) => {
    const prefix = toStr(bindPositional("removeprefix", args, 1, 1)[0]);
    return text.startsWith(prefix) ? text.slice(prefix.length) : text;
  },
  removesuffix: (text, args) => {
    const suffix = toStr(bindPositional("removesuffix", args, 1, 1)[0]);
    return text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text;
  },
  center: padMethod("center"),
  ljust: padMethod("right"),
  rjust: padMethod("left"),
  zfill: (text, args, meter) => {
    const [width] = bindPositional("zfill", args, 1, 1);
    return zeroFill(text, checkWidth(Math.max(0, toInt(width, 0)), meter));
  },
  expandtabs: (text, args, meter) => {
    const size = toInt(bind("expandtabs", args, ["tabsize"])[0], 8);
    meter.take(text.length + checkWidth(Math.max(0, size), meter) * texts.countText(text, "\t"));
    return expandTabs(text, size);
  },
  upper: plain((text) => text.toUpperCase()),
  lower: plain((text) => text.toLowerCase()),
  casefold: plain((text) => text.replaceAll("ß", "ss").toLowerCase().replaceAll("ς", "σ")),
  swapcase: plain((text) =>
    texts
      .pointsOf(text)
      .map((point) => {
        if (/\p{Lt}/u.test(point)) return point;
        return point === point.toUpperCase() ? point.toLowerCase() : point.toUpperCase();
      })
      .join(""),
  ),
  capitalize: plain(texts.capitalize),
  title: plain(texts.titleText),
  isspace: plain(texts.isSpace),
  isalpha: every(/\p{L}/u),
  isalnum: every(alphanumeric),
  isdecimal: every(/\p{Nd}/u),
  isdigit: every(digit),
  isnumeric: every(numeric),
  isascii: plain((text) => /^[\0-\x7f]*$/.test(text)),
  islower: plain((text) => texts.hasCase(text, "toLowerCase")),
  isupper: plain((text) => texts.hasCase(text, "toUpperCase")),
  istitle: plain(
    (text) =>
      texts.titleText(text) === text && texts.titleText(text.toUpperCase()) !== text.toLowerCase(),
  ),
  isidentifier: plain((text) => identifier.test(text)),
  isprintable: plain((text) => texts.pointsOf(text).every((point) => printable.test(point))),
};

/** Methods of `str` that this engine knows of but does not have: they have no use in a template. */
export const absentTextMethods: ReadonlySet<string> = new Set(["encode", "maketrans", "translate"]);

/** Methods that do not cut a text into its characters. */
const plainMethods = new Set(
  `strip lstrip rstrip split rsplit startswith endswith find rfind index rindex count replace join
   partition rpartition removeprefix removesuffix upper lower isspace isascii ljust rjust
   zfill`.split(/\s+/),
);

/** Whether a method cuts a text into its characters, which takes more memory than the text. */
export function needsCharacters(name: string): boolean {
  return !plainMethods.has(name);
}

/** Returns a method of `str` by its name. */
export function textMethod(name: string): TextMethod | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}
