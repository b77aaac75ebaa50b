import { fail } from "./failure.ts";
import { type Meter, valueBytes } from "./limits.ts";
import {
  Markup,
  Sequence,
  TemplateObject,
  Tuple,
  List,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

type Key = null | bigint | number | string | TemplateObject;

/**
 * Returns what stands for a value among keys: equal values have the same one (`1`, `1.0` and
 * `True`), as the hash and equality of Python have it.
 * @throws TemplateFailure (TypeError) for what cannot be hashed
 */
export function keyOf(value: Value): Key {
  if (value === null || typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value === "string") return value.startsWith("\0") ? `\0s${value}` : value;
  if (value instanceof Markup) return keyOf(value.text);
  if (value instanceof Tuple) return tupleKey(value);
  if (value instanceof Undefined) return "\0u";
  if (value instanceof List || value instanceof Dict || value instanceof DictView) {
    return fail("TypeError", `unhashable type: '${value.typeName}'`);
  }
  return value;
}

const objectNumbers = new WeakMap<TemplateObject, number>();
let objects = 0;

function tupleKey({ items }: Tuple): string {
  const parts = items.map((item) => {
    const key = keyOf(item);
    if (key === null) return "n";
    if (key instanceof TemplateObject) {
      const known = objectNumbers.get(key) ?? ++objects;
      objectNumbers.set(key, known);
      return `o${known}`;
    }
    return typeof key === "string" ? `s${key.length}:${key}` : `${typeof key} ${key}`;
  });
  return `\0t${parts.length}(${parts.join(",")})`;
}

/** A dict, in the order in which its keys came. */
export class Dict extends TemplateObject {
  readonly typeName = "dict";
  private readonly entries = new Map<Key, readonly [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    super();
    for (const [key, value] of entries) this.put(key, value);
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: Value): Value | undefined {
    return this.entries.get(keyOf(key))?.[1];
  }

  has(key: Value): boolean {
    return this.entries.has(keyOf(key));
  }

  /** Adds an entry while the dict is built. A key that is there keeps its first form. */
  put(key: Value, value: Value): void {
    const hashed = keyOf(key);
    const known = this.entries.get(hashed);
    this.entries.set(hashed, [known ? known[0] : key, value]);
  }

  *keys(): IterableIterator<Value> {
    for (const [key] of this.entries.values()) yield key;
  }

  *pairs(): IterableIterator<readonly [Value, Value]> {
    yield* this.entries.values();
  }
}

/** What `keys()`, `values()` and `items()` of a dict return. */
export class DictView extends TemplateObject {
  readonly typeName: string;
  readonly dict: Dict;
  readonly part: "keys" | "values" | "items";

  constructor(dict: Dict, part: "keys" | "values" | "items") {
    super();
    this.dict = dict;
    this.part = part;
    this.typeName = `dict_${part}`;
  }

  get size(): number {
    return this.dict.size;
  }

  *[Symbol.iterator](): IterableIterator<Value> {
    for (const [key, value] of this.dict.pairs()) {
      if (this.part === "items") yield new Tuple([key, value]);
      else yield this.part === "keys" ? key : value;
    }
  }
}

/** The values that `namespace(...)` holds; the only thing that a template can change. */
export class Namespace extends TemplateObject {
  readonly typeName = "TemplateNamespace";
  private readonly values = new Map<string, Value>();

  constructor(entries: Iterable<readonly [Value, Value]>) {
    super();
    for (const [name, value] of entries) {
      if (typeof name === "string") this.put(name, value);
    }
  }

  /** @throws TemplateFailure for names that begin with an underscore */
  put(name: string, value: Value): void {
    if (name.startsWith("_")) {
      fail("RuntimeError", `a namespace cannot hold '${name}': it begins with an underscore`);
    }
    this.values.set(name, value);
  }

  override attribute(name: string): Value | undefined {
    return this.values.get(name);
  }

  pairs(): Iterable<readonly [Value, Value]> {
    return this.values;
  }
}

const mostDepth = 400;

/**
 * Turns plain JavaScript data into values. Whole numbers become ints; properties that are undefined
 * are left out.
 * @throws TemplateFailure for what has no such form, or is nested too deep
 */
export function toValue(data: unknown, meter: Meter, depth = 0): Value {
  if (depth > mostDepth) fail("Limit", `is given data nested more than ${mostDepth} levels deep`);
  meter.input(typeof data === "string" ? data.length : 0);
  if (data === null || data === undefined) return null;
  if (typeof data === "boolean" || typeof data === "bigint") return data;
  if (typeof data === "string") return data;
  if (typeof data === "number") {
    const isInt = Number.isInteger(data) && Math.abs(data) < 1e21 && !Object.is(data, -0);
    return isInt ? BigInt(data) : data;
  }
  meter.step();
  if (data instanceof TemplateObject) return data;
  if (Array.isArray(data)) return new List(data.map((item) => toValue(item, meter, depth + 1)));
  if (typeof data !== "object") fail("TypeError", `is given a ${typeof data}`);
  const dict = new Dict();
  for (const [key, value] of Object.entries(data)) {
    if (value !== undefined) dict.put(key, toValue(value, meter, depth + 1));
  }
  return dict;
}

/**
 * Returns an iterator over a value's items, and undefined for what has none. A text gives its code
 * points, a dict its keys.
 */
function iteratorOf(value: Value): Iterator<Value> | undefined {
  if (typeof value === "string") return value[Symbol.iterator]();
  if (value instanceof Markup) return value.text[Symbol.iterator]();
  if (value instanceof Sequence) return value.items[Symbol.iterator]();
  if (value instanceof Dict) return value.keys();
  if (value instanceof Undefined) return [][Symbol.iterator]();
  if (value instanceof TemplateObject && "values" in value && isIterator(value.values)) {
    return value.values;
  }
  if (value instanceof TemplateObject && Symbol.iterator in value) {
    return (value as unknown as Iterable<Value>)[Symbol.iterator]();
  }
  return undefined;
}

function isIterator(value: unknown): value is Iterator<Value> {
  return typeof (value as Partial<Iterator<Value>> | null)?.next === "function";
}

/** Whether `iter(value)` works. */
export function isIterable(value: Value): boolean {
  return iteratorOf(value) !== undefined;
}

/**
 * Walks over a value's items; each is a step.
 * @throws TemplateFailure (TypeError) for what cannot be walked over
 */
export function* iterate(value: Value, meter: Meter): Generator<Value> {
  const iterator = iteratorOf(value);
  if (!iterator) return fail("TypeError", `'${typeName(value)}' object is not iterable`);
  for (;;) {
    const next = iterator.next();
    if (next.done) return undefined;
    meter.step();
    yield next.value;
  }
}

/** Returns a value's items as an array. */
export function itemsOf(value: Value, meter: Meter): readonly Value[] {
  if (value instanceof Sequence) return value.items;
  const items: Value[] = [];
  for (const item of iterate(value, meter)) {
    meter.take(8 - valueBytes);
    items.push(item);
  }
  return items;
}

/** Builds a list and counts it. */
export function newList(items: readonly Value[], meter: Meter): List {
  meter.take(8 * items.length);
  return new List(items);
}
