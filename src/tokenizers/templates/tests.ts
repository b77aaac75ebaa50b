import { compare, contains, isEqual } from "./compare.ts";
import { Dict, isIterable } from "./dict.ts";
import type { Engine, Test } from "./engine.ts";
import { hasFilter } from "./filters.ts";
import { numberOf } from "./numbers.ts";
import { operate } from "./operators.ts";
import { bind } from "./parameters.ts";
import { toText } from "./repr.ts";
import { hasCase } from "./text.ts";
import { Callable, Markup, Range, Sequence, textOf, Undefined, type Value } from "./values.ts";

/** A test of a value alone. */
function of(holds: (value: Value, engine: Engine) => boolean): Test {
  return (args, engine) => holds(bind("this test", args, ["value"], 1)[0] ?? null, engine);
}

/** A test of a value against another. */
function against(holds: (value: Value, other: Value, engine: Engine) => boolean): Test {
  return (args, engine) => {
    const [value = null, other = null] = bind("this test", args, ["value", "other"], 2);
    return holds(value, other, engine);
  };
}

function rest(value: Value, by: Value, { meter }: Engine): Value {
  return operate(value, by, "%", meter);
}

const ordered = (operator: "<" | "<=" | ">" | ">="): Test =>
  against((value, other, { meter }) => compare(value, other, operator, meter));
const equal = against((value, other, { meter }) => isEqual(value, other, meter));
const unequal = against((value, other, { meter }) => !isEqual(value, other, meter));

/** Every test, by its name. */
export const tests: ReadonlyMap<string, Test> = new Map([
  ["defined", of((value) => !(value instanceof Undefined))],
  ["undefined", of((value) => value instanceof Undefined)],
  ["none", of((value) => value === null)],
  ["boolean", of((value) => typeof value === "boolean")],
  ["true", of((value) => value === true)],
  ["false", of((value) => value === false)],
  ["integer", of((value) => typeof value === "bigint")],
  ["float", of((value) => typeof value === "number")],
  ["number", of((value) => numberOf(value) !== undefined)],
  ["string", of((value) => textOf(value) !== undefined)],
  ["mapping", of((value) => value instanceof Dict)],
  ["sequence", of(isSequence)],
  ["iterable", of((value) => isIterable(value))],
  ["callable", of((value) => value instanceof Callable || value instanceof Undefined)],
  ["escaped", of((value) => value instanceof Markup)],
  ["lower", of((value, { meter }) => hasCase(toText(value, meter), "toLowerCase"))],
  ["upper", of((value, { meter }) => hasCase(toText(value, meter), "toUpperCase"))],
  ["odd", of((value, engine) => isEqual(rest(value, 2n, engine), 1n, engine.meter))],
  ["even", of((value, engine) => isEqual(rest(value, 2n, engine), 0n, engine.meter))],
  [
    "divisibleby",
    against((value, by, engine) => isEqual(rest(value, by, engine), 0n, engine.meter)),
  ],
  ["filter", of((value) => hasFilter(textOf(value) ?? ""))],
  ["test", of((value) => hasTest(textOf(value) ?? ""))],
  ["sameas", against((value, other) => Object.is(value, other))],
  ["in", against((value, other, { meter }) => contains(other, value, meter))],
  ...["==", "eq", "equalto"].map((name) => [name, equal] as const),
  ...["!=", "ne"].map((name) => [name, unequal] as const),
  ...[">", "gt", "greaterthan"].map((name) => [name, ordered(">")] as const),
  ...["<", "lt", "lessthan"].map((name) => [name, ordered("<")] as const),
  ...[">=", "ge"].map((name) => [name, ordered(">=")] as const),
  ...["<=", "le"].map((name) => [name, ordered("<=")] as const),
]);

/** Whether a value has a length and items: a dict counts too. */
function isSequence(value: Value): boolean {
  const isText = textOf(value) !== undefined;
  return (
    isText ||
    value instanceof Sequence ||
    value instanceof Dict ||
    value instanceof Range ||
    value instanceof Undefined
  );
}

/** Whether there is a test of this name. */
export function hasTest(name: string): boolean {
  return tests.has(name);
}
