import { fail } from "./failure.ts";
import { intOf } from "./numbers.ts";
import { type Arguments, textOf, typeName, Undefined, type Value } from "./values.ts";

/**
 * Puts what a function is called with in the order of its parameters; undefined where an argument
 * is not given. `required`: so many must be.
 * @throws TemplateFailure (TypeError) when the call does not fit
 */
export function bind(
  name: string,
  { positional, named }: Arguments,
  parameters: readonly string[],
  required = 0,
): (Value | undefined)[] {
  if (positional.length > parameters.length) {
    fail("TypeError", `${name} takes at most ${parameters.length} arguments`);
  }
  const values: (Value | undefined)[] = parameters.map((_, index) => positional[index]);
  for (const [key, value] of named) {
    const index = parameters.indexOf(key);
    if (index < 0) fail("TypeError", `${name} has no parameter '${key}'`);
    if (index < positional.length) fail("TypeError", `${name} got '${key}' twice`);
    values[index] = value;
  }
  const missing = values.findIndex((value, index) => value === undefined && index < required);
  if (missing >= 0) fail("TypeError", `${name} needs '${parameters[missing]}'`);
  return values;
}

/** As `bind`, for functions of Python that take no names. */
export function bindPositional(
  name: string,
  args: Arguments,
  least: number,
  most: number,
): readonly Value[] {
  const { positional, named } = args;
  if (named.size > 0) fail("TypeError", `${name} takes no keyword arguments`);
  if (positional.length < least || positional.length > most) {
    fail("TypeError", `${name} takes from ${least} to ${most} arguments, not ${positional.length}`);
  }
  return positional;
}

/** Returns an int argument as a number. @throws TemplateFailure (TypeError) for anything else */
export function toInt(value: Value | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  const int = intOf(value);
  if (int !== undefined) return Number(int);
  if (value instanceof Undefined) value.fail();
  return fail("TypeError", `'${typeName(value)}' object cannot be interpreted as an integer`);
}

/** Returns a text argument. @throws TemplateFailure (TypeError) for anything else */
export function toStr(value: Value | undefined, otherwise?: string): string {
  if (value === undefined && otherwise !== undefined) return otherwise;
  const text = textOf(value);
  return text ?? fail("TypeError", `expected str, got ${typeName(value ?? null)}`);
}
