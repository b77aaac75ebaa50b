import { BraceFormatter, type Lookup } from "./brace-format.ts";
import { isEqual } from "./compare.ts";
import { Dict, DictView, itemsOf, iterate } from "./dict.ts";
import { fail } from "./failure.ts";
import { entryBytes, type Meter } from "./limits.ts";
import { intOf } from "./numbers.ts";
import { bindPositional, toInt } from "./parameters.ts";
import { absentTextMethods, needsCharacters, textMethod } from "./text-methods.ts";
import {
  type Arguments,
  List,
  Markup,
  NativeFunction,
  orElse,
  Range,
  Sequence,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

const changesList = new Set("append clear pop reverse insert sort extend remove".split(" "));
const changesDict = new Set("clear pop popitem setdefault update".split(" "));

/** What the sandbox answers for a name that may not be reached. */
function unsafe(value: Value, name: string): Undefined {
  const type = typeName(value);
  return new Undefined(
    `access to attribute '${name}' of '${type}' object is unsafe.`,
    "RuntimeError",
  );
}

function textAttribute(
  value: Value,
  text: string,
  name: string,
  lookup: Lookup,
): Value | undefined {
  if (name === "format" || name === "format_map") return formatMethod(text, name, lookup);
  const method = textMethod(name);
  if (!method) {
    if (!absentTextMethods.has(name)) return undefined;
    return new NativeFunction(name, () => fail("TypeError", `str.${name} is not there`));
  }
  return new NativeFunction(name, (args, meter) => {
    if (needsCharacters(name)) meter.parts(text.length);
    else meter.take(text.length);
    const result = method(text, args, meter);
    return value instanceof Markup ? asMarkup(result) : result;
  });
}

/** Methods of an escaped text return escaped texts. */
function asMarkup(result: Value): Value {
  if (typeof result === "string") return new Markup(result);
  if (result instanceof List) return new List(result.items.map(asMarkup));
  return result instanceof Tuple ? new Tuple(result.items.map(asMarkup)) : result;
}

function formatMethod(text: string, name: string, lookup: Lookup): NativeFunction {
  return new NativeFunction(name, (args, meter) => {
    if (name === "format") return new BraceFormatter(args, lookup, meter).format(text);
    const [map] = bindPositional(name, args, 1, 1);
    if (!(map instanceof Dict)) return fail("TypeError", "format_map() takes a dict");
    const named = new Map<string, Value>();
    for (const [key, item] of map.pairs()) if (typeof key === "string") named.set(key, item);
    return new BraceFormatter({ positional: [], named }, lookup, meter).format(text);
  });
}

function sequenceAttribute(value: Sequence | Range, name: string): Value | undefined {
  if (name === "count") {
    return new NativeFunction(name, (args, meter) => {
      const [wanted] = bindPositional(name, args, 1, 1);
      let count = 0n;
      for (const item of iterate(value, meter)) if (isEqual(item, wanted, meter)) count++;
      return count;
    });
  }
  if (name === "index")
    return new NativeFunction(name, (args, meter) => indexOf(value, args, meter));
  if (name === "copy" && value instanceof List) {
    return new NativeFunction(name, (args) => {
      bindPositional(name, args, 0, 0);
      return new List(value.items);
    });
  }
  return value instanceof List && changesList.has(name) ? unsafe(value, name) : undefined;
}

function indexOf(value: Sequence | Range, args: Arguments, meter: Meter): bigint {
  const [wanted, start, stop] = bindPositional("index", args, 1, 3);
  const items = itemsOf(value, meter);
  const place = (bound: Value | undefined, otherwise: number): number => {
    const given = toInt(bound, otherwise);
    return given < 0 ? Math.max(0, given + items.length) : given;
  };
  const end = Math.min(items.length, place(stop, items.length));
  for (let i = place(start, 0); i < end; i++)
    if (isEqual(items[i], wanted, meter)) return BigInt(i);
  return fail("ValueError", "the value is not in the list");
}

function dictAttribute(dict: Dict, name: string): Value | undefined {
  if (name === "keys" || name === "values" || name === "items") {
    return new NativeFunction(name, (args) => {
      bindPositional(name, args, 0, 0);
      return new DictView(dict, name);
    });
  }
  if (name === "get") {
    return new NativeFunction(name, (args) => {
      const [key, otherwise = null] = bindPositional(name, args, 1, 2);
      return orElse(dict.get(key), () => otherwise);
    });
  }
  if (name === "copy") {
    return new NativeFunction(name, (args, meter) => {
      bindPositional(name, args, 0, 0);
      meter.take(dict.size * entryBytes);
      return new Dict(dict.pairs());
    });
  }
  if (name === "fromkeys") return fromKeys;
  return changesDict.has(name) ? unsafe(dict, name) : undefined;
}

/** `dict.fromkeys(keys, value)`. */
export const fromKeys: NativeFunction = new NativeFunction("fromkeys", (args, meter) => {
  const [keys, value = null] = bindPositional("fromkeys", args, 1, 2);
  const dict = new Dict();
  for (const key of iterate(keys, meter)) {
    meter.take(entryBytes);
    dict.put(key, value);
  }
  return dict;
});

function numberAttribute(value: bigint | number | boolean, name: string): Value | undefined {
  const int = intOf(value);
  if (name === "real") return int ?? (value as number);
  if (name === "imag") return int === undefined ? 0 : 0n;
  if (int === undefined) {
    if (name !== "is_integer") return undefined;
    return new NativeFunction(name, () => Number.isInteger(value));
  }
  if (name === "numerator") return int;
  if (name === "denominator") return 1n;
  if (name !== "bit_length") return undefined;
  return new NativeFunction(name, () => {
    const size = int < 0n ? -int : int;
    return size === 0n ? 0n : BigInt(size.toString(2).length);
  });
}

/**
 * Returns an attribute that a value has, as the sandbox lets it be seen: the methods of Python's
 * types, and Undefined for those that change something. undefined when there is none.
 * @throws TemplateFailure for any attribute of something undefined
 */
export function attributeOf(value: Value, name: string, lookup: Lookup): Value | undefined {
  if (value instanceof Undefined) {
    return name.startsWith("__") && name.endsWith("__") ? undefined : value.fail();
  }
  if (/^__\w+__$/.test(name) && knownDunders.has(name)) return unsafe(value, name);
  const text = textOf(value);
  if (text !== undefined) return textAttribute(value, text, name, lookup);
  if (value instanceof Dict) return dictAttribute(value, name);
  if (value instanceof Sequence || value instanceof Range) {
    const own = value.attribute(name);
    return own === undefined ? sequenceAttribute(value, name) : own;
  }
  if (value === null) return undefined;
  if (typeof value === "object") return value.attribute(name);
  return typeof value === "string" ? undefined : numberAttribute(value, name);
}

/** Names that every object of Python has; the sandbox hides them. */
const knownDunders = new Set(
  `__class__ __delattr__ __dir__ __doc__ __eq__ __format__ __ge__ __getattribute__ __gt__ __hash__
   __init__ __init_subclass__ __le__ __lt__ __ne__ __new__ __reduce__ __reduce_ex__ __repr__
   __setattr__ __sizeof__ __str__ __subclasshook__ __len__ __iter__ __contains__ __getitem__
   __add__ __mul__ __rmul__`.split(/\s+/),
);
