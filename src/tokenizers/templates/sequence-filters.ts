import { attributeGetter, ignoreCase } from "./attribute-path.ts";
import { compare, isEqual, sortValues } from "./compare.ts";
import { Dict, iterate, itemsOf, keyOf, newList } from "./dict.ts";
import type { Engine, Filter } from "./engine.ts";
import { fail } from "./failure.ts";
import { entryBytes } from "./limits.ts";
import { operate } from "./operators.ts";
import { bind, toInt } from "./parameters.ts";
import { itemAt } from "./slices.ts";
import { joinParts } from "./text-methods.ts";
import { toText } from "./repr.ts";
import {
  Group,
  isTrue,
  List,
  orElse,
  Range,
  Sequence,
  sizeOf,
  Stream,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

const truth = (value: Value | undefined): boolean => value !== undefined && isTrue(value);

function stream(values: Iterator<Value>): Stream {
  return new Stream("generator", values);
}

/** `map`: the values of an attribute, or what a filter makes of each item. */
const map: Filter = ({ positional: [value, ...rest], named }, engine) =>
  stream(
    (function* () {
      if (!isTrue(value)) return;
      const change = mapping(rest, named, engine);
      for (const item of iterate(value, engine.meter)) yield change(item);
    })(),
  );

function mapping(
  rest: readonly Value[],
  named: ReadonlyMap<string, Value>,
  engine: Engine,
): (item: Value) => Value {
  const attribute = named.get("attribute");
  if (rest.length === 0 && attribute !== undefined) {
    const other = [...named.keys()].find((name) => name !== "attribute" && name !== "default");
    if (other !== undefined) fail("TypeError", `Unexpected keyword argument '${other}'`);
    return attributeGetter(engine, attribute, false, named.get("default") ?? null);
  }
  const [name, ...args] = rest;
  const filter = textOf(name) ?? fail("TypeError", "map requires a filter argument");
  return (item) => engine.filter(filter, { positional: [item, ...args], named });
}

/** `select`, `reject`, and with an attribute `selectattr`, `rejectattr`. */
function chooser(wanted: boolean, byAttribute: boolean): Filter {
  return ({ positional: [value, ...rest], named }, engine) =>
    stream(
      (function* () {
        if (!isTrue(value)) return;
        if (byAttribute && rest.length === 0)
          fail("TypeError", "Missing parameter for attribute name");
        const get = byAttribute ? attributeGetter(engine, rest[0], false) : (item: Value) => item;
        const [name, ...args] = byAttribute ? rest.slice(1) : rest;
        for (const item of iterate(value, engine.meter)) {
          const read = get(item);
          const holds =
            name === undefined
              ? isTrue(read)
              : engine.test(toText(name, engine.meter), { positional: [read, ...args], named });
          if (holds === wanted) yield item;
        }
      })(),
    );
}

const join: Filter = (args, engine) => {
  const [value, separator = "", attribute = null] = bind(
    "join",
    args,
    ["value", "d", "attribute"],
    1,
  );
  const { meter } = engine;
  const get = attributeGetter(engine, attribute, false);
  const parts: string[] = [];
  for (const item of iterate(value ?? null, meter)) {
    meter.take(8);
    parts.push(toText(get(item), meter));
  }
  return joinParts(parts, toText(separator, meter), meter);
};

const first: Filter = (args, { meter }) => {
  const [value = null] = bind("first", args, ["seq"], 1);
  const next = iterate(value, meter).next();
  return next.done ? new Undefined("No first item, sequence was empty.") : next.value;
};

const last: Filter = (args, { meter }) => {
  const [value = null] = bind("last", args, ["seq"], 1);
  if (value instanceof Undefined) return new Undefined("No last item, sequence was empty.");
  const items = reversible(value, () => itemsOf(value, meter));
  return orElse(items.at(-1), () => new Undefined("No last item, sequence was empty."));
};

/** Only what has an order of its own can be read from its end. */
function reversible<T>(value: Value, read: () => T): T {
  const isDict = value instanceof Dict || typeName(value).startsWith("dict_");
  if (
    textOf(value) !== undefined ||
    value instanceof Sequence ||
    value instanceof Range ||
    isDict
  ) {
    return read();
  }
  return fail("TypeError", `'${typeName(value)}' object is not reversible`);
}

const reverse: Filter = (args, { meter }) => {
  const [value = null] = bind("reverse", args, ["value"], 1);
  const text = textOf(value);
  const items = itemsOf(value, meter);
  meter.take(8 * items.length);
  if (text !== undefined) return [...items].reverse().join("");
  // What cannot be read from its end is read first.
  if (value instanceof Stream) return new List([...items].reverse());
  return new Stream("reversed", [...items].reverse()[Symbol.iterator]());
};

const length: Filter = (args) => {
  const [value = null] = bind("length", args, ["obj"], 1);
  const size = sizeOf(value);
  if (size !== undefined) return BigInt(size);
  return fail("TypeError", `object of type '${typeName(value)}' has no len()`);
};

const list: Filter = (args, { meter }) => {
  const [value = null] = bind("list", args, ["value"], 1);
  return newList(itemsOf(value, meter), meter);
};

const items: Filter = (args, { meter }) => {
  const [value = null] = bind("items", args, ["value"], 1);
  return stream(
    (function* () {
      if (value instanceof Undefined) return;
      if (!(value instanceof Dict)) fail("TypeError", "Can only get item pairs from a mapping.");
      for (const pair of value.pairs()) {
        meter.take(0);
        yield new Tuple(pair);
      }
    })(),
  );
};

const sort: Filter = (args, engine) => {
  const [value = null, reversed, caseSensitive, attribute = null] = bind(
    "sort",
    args,
    ["value", "reverse", "case_sensitive", "attribute"],
    1,
  );
  const paths = textOf(attribute)?.split(",") ?? [attribute];
  const getters = paths.map((path) => attributeGetter(engine, path, !truth(caseSensitive)));
  const key = (item: Value): Value => new List(getters.map((get) => get(item)));
  const sorted = sortValues(sortable(value, engine), key, truth(reversed), lessIn(engine));
  return newList(sorted, engine.meter);
};

/** Counts what sorting needs beside the items. */
function sortable(value: Value, { meter }: Engine): readonly Value[] {
  const items = itemsOf(value, meter);
  meter.take(entryBytes * items.length);
  return items;
}

function lessIn({ meter }: Engine): (a: Value, b: Value) => boolean {
  return (a, b) => compare(a, b, "<", meter);
}

const dictsort: Filter = (args, engine) => {
  const [value = null, caseSensitive, by = "key", reversed] = bind(
    "dictsort",
    args,
    ["value", "case_sensitive", "by", "reverse"],
    1,
  );
  const place = by === "key" ? 0 : by === "value" ? 1 : undefined;
  if (place === undefined)
    return fail("ValueError", 'You can only sort by either "key" or "value"');
  if (value instanceof Undefined) value.fail();
  if (!(value instanceof Dict)) return fail("TypeError", `'${typeName(value)}' has no items`);
  const key = (pair: readonly [Value, Value]): Value =>
    truth(caseSensitive) ? pair[place] : ignoreCase(pair[place]);
  const sorted = sortValues([...value.pairs()], key, truth(reversed), lessIn(engine));
  return newList(
    sorted.map((pair) => new Tuple(pair)),
    engine.meter,
  );
};

const unique: Filter = (args, engine) => {
  const [value = null, caseSensitive, attribute = null] = bind(
    "unique",
    args,
    ["value", "case_sensitive", "attribute"],
    1,
  );
  const get = attributeGetter(engine, attribute, !truth(caseSensitive));
  return stream(
    (function* () {
      const seen = new Set<unknown>();
      for (const item of iterate(value, engine.meter)) {
        const key = keyOf(get(item));
        if (seen.has(key)) continue;
        engine.meter.take(entryBytes);
        seen.add(key);
        yield item;
      }
    })(),
  );
};

/** `min` and `max`. */
function extreme(operator: "<" | ">"): Filter {
  return (args, engine) => {
    const [value = null, caseSensitive, attribute = null] = bind(
      "min",
      args,
      ["value", "case_sensitive", "attribute"],
      1,
    );
    const get = attributeGetter(engine, attribute, !truth(caseSensitive));
    let found: { readonly item: Value; readonly key: Value } | undefined;
    for (const item of iterate(value, engine.meter)) {
      const key = get(item);
      if (!found || compare(key, found.key, operator, engine.meter)) found = { item, key };
    }
    return found ? found.item : new Undefined("No aggregated item, sequence was empty.");
  };
}

const sum: Filter = (args, engine) => {
  const [value = null, attribute = null, start = 0n] = bind(
    "sum",
    args,
    ["iterable", "attribute", "start"],
    1,
  );
  if (textOf(start) !== undefined) fail("TypeError", "sum() can't sum strings");
  const get = attributeGetter(engine, attribute, false);
  let total = start;
  for (const item of iterate(value, engine.meter))
    total = operate(total, get(item), "+", engine.meter);
  return total;
};

const groupby: Filter = (args, engine) => {
  const { meter } = engine;
  const [value = null, attribute = null, otherwise = null, caseSensitive] = bind(
    "groupby",
    args,
    ["value", "attribute", "default", "case_sensitive"],
    2,
  );
  const key = attributeGetter(engine, attribute, !truth(caseSensitive), otherwise);
  const written = attributeGetter(engine, attribute, false, otherwise);
  const groups: { readonly key: Value; readonly members: Value[] }[] = [];
  for (const item of sortValues(sortable(value, engine), key, false, lessIn(engine))) {
    const itemKey = key(item);
    const group = groups.at(-1);
    meter.take(8);
    if (group && isEqual(group.key, itemKey, meter)) group.members.push(item);
    else groups.push({ key: itemKey, members: [item] });
  }
  return newList(
    groups.map(({ members }) => new Group([written(members[0]), new List(members)])),
    meter,
  );
};

const batch: Filter = (args, { meter }) => {
  const [value = null, count, fill = null] = bind(
    "batch",
    args,
    ["value", "linecount", "fill_with"],
    2,
  );
  return stream(
    (function* () {
      let row: Value[] = [];
      for (const item of iterate(value, meter)) {
        if (isEqual(BigInt(row.length), count ?? null, meter)) {
          yield newList(row, meter);
          row = [];
        }
        row.push(item);
      }
      if (row.length === 0) return;
      if (fill !== null) {
        const missing = Math.max(0, toInt(count, 0) - row.length);
        meter.take(8 * missing);
        row.push(...Array.from({ length: missing }, () => fill));
      }
      yield newList(row, meter);
    })(),
  );
};

const slice: Filter = (args, { meter }) => {
  const [value = null, slices, fill = null] = bind(
    "slice",
    args,
    ["value", "slices", "fill_with"],
    2,
  );
  return stream(
    (function* () {
      const all = itemsOf(value, meter);
      const count = toInt(slices, 1);
      if (count === 0) fail("ZeroDivisionError", "integer division or modulo by zero");
      const each = Math.floor(all.length / count);
      const longer = all.length - each * count;
      let place = 0;
      for (let i = 0; i < count; i++) {
        meter.step();
        const end = place + each + (i < longer ? 1 : 0);
        const part = all.slice(place, end);
        if (fill !== null && i >= longer) part.push(fill);
        yield newList(part, meter);
        place = end;
      }
    })(),
  );
};

/** One of the items, drawn by the engine's own generator: the same ones in every render. */
const random: Filter = (args, { meter, random: generator }) => {
  const [value = null] = bind("random", args, ["seq"], 1);
  const size = sizeOf(value);
  if (size === undefined) fail("TypeError", `object of type '${typeName(value)}' has no len()`);
  const index = BigInt(generator.below(size));
  return orElse(
    itemAt(value, index, meter),
    () => new Undefined("No random item, sequence was empty."),
  );
};

/** Filters of lists and of what can be walked over. */
export const sequenceFilters: ReadonlyMap<string, Filter> = new Map([
  ["map", map],
  ["select", chooser(true, false)],
  ["reject", chooser(false, false)],
  ["selectattr", chooser(true, true)],
  ["rejectattr", chooser(false, true)],
  ["join", join],
  ["first", first],
  ["last", last],
  ["reverse", reverse],
  ["length", length],
  ["count", length],
  ["list", list],
  ["items", items],
  ["sort", sort],
  ["dictsort", dictsort],
  ["unique", unique],
  ["min", extreme("<")],
  ["max", extreme(">")],
  ["sum", sum],
  ["groupby", groupby],
  ["batch", batch],
  ["slice", slice],
  ["random", random],
]);
