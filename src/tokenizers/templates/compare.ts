import { Dict, DictView, iterate } from "./dict.ts";
import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { numberOf } from "./numbers.ts";
import { compareTexts } from "./text.ts";
import {
  List,
  Range,
  Sequence,
  Tuple,
  TemplateObject,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** Whether `a == b`. */
export function isEqual(a: Value, b: Value, meter: Meter): boolean {
  meter.step();
  const [left, right] = [textOf(a), textOf(b)];
  if (left !== undefined || right !== undefined) {
    if (left !== undefined && left.length === right?.length) meter.take(left.length);
    return left === right;
  }
  const [first, second] = [numberOf(a), numberOf(b)];
  if (first !== undefined && second !== undefined) {
    // A loose comparison of an int with a float is exact.
    return first == second; // oxlint-disable-line eqeqeq
  }
  if (!(a instanceof TemplateObject && b instanceof TemplateObject)) return a === b;
  if (a === b) return true;
  if (a instanceof Undefined) return b instanceof Undefined;
  return meter.deeper(() => equalObjects(a, b, meter));
}

function equalObjects(a: TemplateObject, b: TemplateObject, meter: Meter): boolean {
  const sameKind =
    (a instanceof List && b instanceof List) || (a instanceof Tuple && b instanceof Tuple);
  if (sameKind) {
    const [left, right] = [a.items, b.items];
    return left.length === right.length && left.every((item, i) => isSame(item, right[i], meter));
  }
  if (a instanceof Range && b instanceof Range) {
    if (a.count !== b.count) return false;
    return a.count === 0 || (a.start === b.start && (a.count === 1 || a.step === b.step));
  }
  if (a instanceof DictView && b instanceof DictView) {
    if (a.part === "values" || a.part !== b.part || a.size !== b.size) return false;
    return [...a].every((item) => contains(b, item, meter));
  }
  if (!(a instanceof Dict && b instanceof Dict) || a.size !== b.size) return false;
  for (const [key, value] of a.pairs()) {
    const other = b.get(key);
    if (other === undefined || !isSame(value, other, meter)) return false;
  }
  return true;
}

/** Items of containers are equal when they are the same object too, as NaN is. */
function isSame(a: Value, b: Value, meter: Meter): boolean {
  return Object.is(a, b) || isEqual(a, b, meter);
}

/**
 * Whether `a < b`.
 * @throws TemplateFailure (TypeError) when they have no order
 */
export function isLess(a: Value, b: Value, meter: Meter): boolean {
  return compare(a, b, "<", meter);
}

/** Whether `a` and `b` stand in an order. @throws TemplateFailure (TypeError) without one */
export function compare(
  a: Value,
  b: Value,
  operator: "<" | "<=" | ">" | ">=",
  meter: Meter,
): boolean {
  meter.step();
  const [first, second] = [numberOf(a), numberOf(b)];
  if (first !== undefined && second !== undefined) return holds(first, second, operator);
  const [left, right] = [textOf(a), textOf(b)];
  if (left !== undefined && right !== undefined) {
    meter.take(Math.min(left.length, right.length));
    return holds(compareTexts(left, right), 0, operator);
  }
  if ((a instanceof List && b instanceof List) || (a instanceof Tuple && b instanceof Tuple)) {
    const [items, others] = [a.items, b.items];
    const at = items.findIndex((item, i) => i >= others.length || !isSame(item, others[i], meter));
    if (at < 0 || at >= others.length) return holds(items.length, others.length, operator);
    return meter.deeper(() => compare(items[at], others[at], operator, meter));
  }
  if (a instanceof Undefined) a.fail();
  if (b instanceof Undefined) b.fail();
  const types = `'${typeName(a)}' and '${typeName(b)}'`;
  return fail("TypeError", `'${operator}' not supported between instances of ${types}`);
}

function holds(a: bigint | number, b: bigint | number, operator: "<" | "<=" | ">" | ">="): boolean {
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}

/**
 * Whether `item in container`.
 * @throws TemplateFailure (TypeError) when `container` is none, or for anything but text in a text
 */
export function contains(container: Value, item: Value, meter: Meter): boolean {
  const text = textOf(container);
  if (text !== undefined) {
    const part = textOf(item);
    if (part === undefined) {
      return fail(
        "TypeError",
        `'in <string>' requires string as left operand, not ${typeName(item)}`,
      );
    }
    meter.take(text.length);
    return text.includes(part);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.part === "keys") return container.dict.has(item);
  if (!(container instanceof TemplateObject)) {
    return fail("TypeError", `argument of type '${typeName(container)}' is not iterable`);
  }
  if (container instanceof Sequence) {
    return container.items.some((other) => isSame(other, item, meter));
  }
  for (const other of iterate(container, meter)) if (isSame(other, item, meter)) return true;
  return false;
}

/** Sorts by keys, stably; `reverse` keeps the order of equal ones. */
export function sortValues<T>(
  items: readonly T[],
  keyOf: (item: T) => Value,
  reverse: boolean,
  less: (a: Value, b: Value) => boolean,
): T[] {
  const sign = reverse ? -1 : 1;
  return items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((a, b) => (less(a.key, b.key) ? -sign : less(b.key, a.key) ? sign : 0))
    .map(({ item }) => item);
}
