import type { Filter } from "./engine.ts";
import { escapeText } from "./escape.ts";
import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { checkWidth } from "./number-format.ts";
import { formatPercent } from "./percent-format.ts";
import { bind, toInt, toStr } from "./parameters.ts";
import { toText } from "./repr.ts";
import { sliceValue } from "./slices.ts";
import { replaceParts } from "./text-methods.ts";
import * as texts from "./text.ts";
import { Dict, itemsOf, isIterable } from "./dict.ts";
import {
  isTrue,
  Markup,
  sizeOf,
  textOf,
  textSize,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";
import { wrapText } from "./wrap-text.ts";

/** A filter that only needs the text of its value; `cuts`: and cuts it into characters or parts. */
function plain(name: string, change: (text: string) => Value, cuts = false): Filter {
  return (args, { meter }) => {
    const [value = null] = bind(name, args, ["s"], 1);
    const text = meter.text(toText(value, meter));
    if (cuts) meter.parts(text.length);
    const changed = change(text);
    return value instanceof Markup && typeof changed === "string" ? new Markup(changed) : changed;
  };
}

const trim: Filter = (args, { meter }) => {
  const [value = null, chars = null] = bind("trim", args, ["value", "chars"], 1);
  return texts.strip(
    meter.text(toText(value, meter)),
    "both",
    chars === null ? undefined : toStr(chars),
  );
};

const replace: Filter = (args, { meter }) => {
  const [value = null, old = null, by = null, count = null] = bind(
    "replace",
    args,
    ["s", "old", "new", "count"],
    3,
  );
  const [text, from, to] = [value, old, by].map((part) => toText(part, meter));
  return replaceParts(text, from, to, count === null ? -1 : toInt(count, -1), meter);
};

const wordStart = new RegExp(`([-${texts.spaceClass}({\\[<]+)`);

function titleWords(text: string): string {
  return text
    .split(wordStart)
    .map((word) => {
      const [first = "", ...rest] = texts.pointsOf(word);
      return first.toUpperCase() + rest.join("").toLowerCase();
    })
    .join("");
}

const center: Filter = (args, { meter }) => {
  const [value = null, width] = bind("center", args, ["value", "width"], 1);
  const size = checkWidth(Math.max(0, toInt(width, 80)), meter);
  return texts.centerText(toText(value, meter), size, " ");
};

const indent: Filter = (args, { meter }) => {
  const [value = null, width = 4n, first = false, blank = false] = bind(
    "indent",
    args,
    ["s", "width", "first", "blank"],
    1,
  );
  if (value instanceof Undefined) value.fail();
  const text = toStr(value);
  const margin = textOf(width) ?? " ".repeat(checkWidth(Math.max(0, toInt(width, 4)), meter));
  // The line end that Jinja adds makes an empty last line of a text that ends with one.
  meter.parts(texts.countMatches(text, texts.lineEnds));
  const lines = texts.splitLines(`${text}\n`);
  meter.take(text.length + lines.length * margin.length);
  const [head = "", ...rest] = lines;
  const indented = rest.map((line) => (line !== "" || isTrue(blank) ? margin + line : line));
  return (isTrue(first) ? margin : "") + [head, ...indented].join("\n");
};

const truncate: Filter = (args, { meter }) => {
  const [value = null, length, killWords = false, end = "...", leeway = null] = bind(
    "truncate",
    args,
    ["s", "length", "killwords", "end", "leeway"],
    1,
  );
  const [most, tail] = [toInt(length, 255), toStr(end)];
  const slack = leeway === null ? 5 : toInt(leeway, 5);
  if (most < textSize(tail) || slack < 0)
    fail("ValueError", "truncate is given too small a length");
  const size = sizeOf(value);
  if (size === undefined) fail("TypeError", `object of type '${typeName(value)}' has no len()`);
  if (size <= most + slack) return value;
  const text = toStr(value);
  const stop = BigInt(most - textSize(tail));
  const cut = sliceValue(text, { start: null, stop, step: null }, meter) as string;
  return isTrue(killWords) ? cut + tail : texts.splitAt(cut, " ", 1, true)[0] + tail;
};

const wordwrap: Filter = (args, { meter }) => {
  const [value = null, width, breakLong = true, by = null, onHyphens = true] = bind(
    "wordwrap",
    args,
    ["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"],
    1,
  );
  if (value instanceof Undefined) value.fail();
  const lineEnd = by === null ? "\n" : toStr(by);
  const options = {
    width: toInt(width, 79),
    breakLongWords: isTrue(breakLong),
    breakOnHyphens: isTrue(onHyphens),
  };
  const text = meter.text(toStr(value));
  meter.parts(text.length);
  meter.take(text.length * (1 + lineEnd.length));
  const lines = texts.splitLines(text).map((line) => wrapText(line, options).join(lineEnd));
  return lines.join(lineEnd);
};

const format: Filter = ({ positional: [value, ...rest], named }, { meter }) => {
  if (rest.length > 0 && named.size > 0) {
    fail("TypeError", "can't handle positional and keyword arguments at the same time");
  }
  const values = named.size > 0 ? new Dict(named) : new Tuple(rest);
  return formatPercent(toText(value, meter), values, meter);
};

const tags = /<!--[\s\S]*?-->|<[^>]*>/g;

function stripTags(text: string): string {
  const bare = text.replace(tags, "").trim();
  const plainText = texts.splitAtSpaces(bare, -1).join(" ");
  return plainText.replace(/&(amp|lt|gt|#39|#34|quot|apos);/g, (entity) => entities[entity]);
}

const entities: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&#39;": "'",
  "&#34;": '"',
  "&quot;": '"',
  "&apos;": "'",
};

function quoteUrl(value: Value, keepSlash: boolean, meter: Meter): string {
  const text = meter.text(toText(value, meter));
  const kept = keepSlash ? /[A-Za-z0-9_.\-~/]/ : /[A-Za-z0-9_.\-~]/;
  const bytes = new TextEncoder().encode(text);
  meter.parts(bytes.length);
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    if (byte < 128 && kept.test(character)) return character;
    return !keepSlash && character === " "
      ? "+"
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

const urlencode: Filter = (args, { meter }) => {
  const [value = null] = bind("urlencode", args, ["value"], 1);
  if (textOf(value) !== undefined || !isIterable(value)) return quoteUrl(value, true, meter);
  const pairs =
    value instanceof Dict
      ? [...value.pairs()]
      : itemsOf(value, meter).map((pair) => itemsOf(pair, meter));
  return pairs
    .map((pair) => {
      if (pair.length !== 2) fail("ValueError", "expected pairs of a key and a value");
      return pair.map((part) => quoteUrl(part, false, meter)).join("=");
    })
    .join("&");
};

const xmlattr: Filter = (args, { meter }) => {
  const [value = null, autospace = true] = bind("xmlattr", args, ["d", "autospace"], 1);
  if (!(value instanceof Dict)) return fail("TypeError", "xmlattr takes a dict");
  const parts: string[] = [];
  for (const [key, item] of value.pairs()) {
    if (item === null || item instanceof Undefined) continue;
    const name = toStr(key);
    if (/[\s/>=]/.test(name)) fail("ValueError", `Invalid character in attribute name: '${name}'`);
    parts.push(`${escapeText(name)}="${escapeValue(item, meter)}"`);
  }
  return (isTrue(autospace) && parts.length > 0 ? " " : "") + parts.join(" ");
};

function escapeValue(value: Value, meter: Meter): string {
  if (value instanceof Markup) return value.text;
  const text = toText(value, meter);
  meter.take(text.length);
  meter.parts(texts.countMatches(text, /[&<>'"]/g));
  return escapeText(text);
}

const escape: Filter = (args, { meter }) => {
  const [value = null] = bind("escape", args, ["s"], 1);
  return new Markup(escapeValue(value, meter));
};

/** Filters of texts. */
export const textFilters: ReadonlyMap<string, Filter> = new Map([
  ["trim", trim],
  ["replace", replace],
  ["upper", plain("upper", (text) => text.toUpperCase())],
  ["lower", plain("lower", (text) => text.toLowerCase())],
  ["capitalize", plain("capitalize", texts.capitalize, true)],
  ["title", plain("title", titleWords, true)],
  ["center", center],
  ["indent", indent],
  ["truncate", truncate],
  ["wordwrap", wordwrap],
  ["wordcount", plain("wordcount", (text) => BigInt(texts.countMatches(text, /[\p{L}\p{N}_]+/gu)))],
  ["format", format],
  ["striptags", plain("striptags", stripTags, true)],
  ["string", plain("string", (text) => text)],
  ["urlencode", urlencode],
  ["xmlattr", xmlattr],
  ["escape", escape],
  ["e", escape],
  ["forceescape", plain("forceescape", (text) => new Markup(escapeText(text)), true)],
  ["safe", plain("safe", (text) => new Markup(text))],
]);
