import { fail, type FailureKind } from "./failure.ts";
import type { Meter } from "./limits.ts";

/**
 * A value of a template, as Python has it: `bigint` is an int, `number` a float, `string` a str,
 * `null` None; everything else is an object of this file or of those beside it.
 */
export type Value = null | boolean | bigint | number | string | TemplateObject;

/** What is no plain value. `typeName` is Python's name of the type. */
export abstract class TemplateObject {
  abstract readonly typeName: string;

  /** Returns an attribute, or undefined when there is none. */
  attribute(_name: string): Value | undefined {
    return undefined;
  }
}

/** Jinja's Undefined: printed as nothing, false, empty; anything else done with it fails. */
export class Undefined extends TemplateObject {
  readonly typeName = "Undefined";
  readonly message: string;
  readonly kind: FailureKind;

  constructor(message: string, kind: FailureKind = "UndefinedError") {
    super();
    this.message = message;
    this.kind = kind;
  }

  fail(): never {
    return fail(this.kind, this.message);
  }
}

/** A text that counts as escaped: what `safe` and `escape` return. */
export class Markup extends TemplateObject {
  readonly typeName = "Markup";
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }
}

/** A list or tuple. Nothing changes it after it is built: the sandbox forbids that. */
export abstract class Sequence extends TemplateObject {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
}

export class List extends Sequence {
  readonly typeName = "list";
}

export class Tuple extends Sequence {
  readonly typeName: string = "tuple";
}

/** What `groupby` gives: a tuple whose parts have names. */
export class Group extends Tuple {
  override attribute(name: string): Value | undefined {
    if (name === "grouper") return this.items[0];
    return name === "list" ? this.items[1] : undefined;
  }
}

/** `range(start, stop, step)`; `count` numbers. */
export class Range extends TemplateObject {
  readonly typeName = "range";
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
  readonly count: number;

  constructor(start: bigint, stop: bigint, step: bigint) {
    super();
    [this.start, this.stop, this.step] = [start, stop, step];
    const span = step > 0n ? stop - start : start - stop;
    const size = step > 0n ? step : -step;
    this.count = span <= 0n ? 0 : Number((span + size - 1n) / size);
  }

  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }

  *[Symbol.iterator](): Generator<bigint> {
    for (let i = 0; i < this.count; i++) yield this.at(i);
  }

  override attribute(name: string): Value | undefined {
    return name === "start" || name === "stop" || name === "step" ? this[name] : undefined;
  }
}

/** Values that are made as they are asked for, once. */
export class Stream extends TemplateObject {
  readonly typeName: string;
  readonly values: Iterator<Value>;

  constructor(typeName: string, values: Iterator<Value>) {
    super();
    this.typeName = typeName;
    this.values = values;
  }
}

/** What a function is called with. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** Something that can be called. */
export abstract class Callable extends TemplateObject {
  abstract call(args: Arguments, meter: Meter): Value;

  /** As it is printed. */
  describe(): string {
    return `<${this.typeName} object>`;
  }
}

/** A function of the language or of this engine. */
export class NativeFunction extends Callable {
  readonly typeName = "builtin_function_or_method";
  readonly name: string;
  private readonly body: (args: Arguments, meter: Meter) => Value;

  constructor(name: string, body: (args: Arguments, meter: Meter) => Value) {
    super();
    this.name = name;
    this.body = body;
  }

  call(args: Arguments, meter: Meter): Value {
    return this.body(args, meter);
  }
}

/** Returns a value that may be None, or what `make` makes where there is none. */
export function orElse(value: Value | undefined, make: () => Value): Value {
  return value === undefined ? make() : value;
}

/** Returns the text of a str or Markup, and undefined for anything else. */
export function textOf(value: Value | undefined): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Markup ? value.text : undefined;
}

/** Python's name of a value's type. */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "float";
  return typeof value === "string" ? "str" : value.typeName;
}

/** Whether `bool(value)` is true. */
export function isTrue(value: Value): boolean {
  if (value === null || typeof value === "boolean") return value === true;
  if (typeof value === "bigint") return value !== 0n;
  if (typeof value === "number") return value !== 0;
  if (typeof value === "string") return value !== "";
  if (value instanceof Undefined) return false;
  return sizeOf(value) !== 0;
}

/** A value that says how many items it has, besides the ones of this file. */
export interface Sized {
  readonly size: number;
}

/** Returns `len(value)` in code points or items, and undefined for what has no length. */
export function sizeOf(value: Value): number | undefined {
  const text = textOf(value);
  if (text !== undefined) return textSize(text);
  if (value instanceof Sequence) return value.items.length;
  if (value instanceof Range) return value.count;
  if (value instanceof Undefined) return 0;
  if (value instanceof TemplateObject && "size" in value) return (value as unknown as Sized).size;
  return undefined;
}

const pairs = /[\ud800-\udbff][\udc00-\udfff]/;
const everyPair = /[\ud800-\udbff][\udc00-\udfff]/g;

/** Counts the code points of a text. */
export function textSize(text: string): number {
  if (!pairs.test(text)) return text.length;
  let size = text.length;
  everyPair.lastIndex = 0;
  while (everyPair.test(text)) size--;
  return size;
}

/** Whether every code point of a text is one UTF-16 unit, so that indices are the same. */
export function isNarrow(text: string): boolean {
  return !pairs.test(text);
}
