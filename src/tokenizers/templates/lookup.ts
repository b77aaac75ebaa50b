import { Dict } from "./dict.ts";
import type { Meter } from "./limits.ts";
import { attributeOf } from "./methods.ts";
import { intOf } from "./numbers.ts";
import { itemAt } from "./slices.ts";
import { orElse, textOf, typeName, Undefined, type Value } from "./values.ts";

function missing(value: Value, name: Value): Undefined {
  const type = value === null ? "None" : `${typeName(value)} object`;
  const text = textOf(name);
  const what = text === undefined ? `no element ${String(name)}` : `no attribute '${text}'`;
  return new Undefined(`'${type}' has ${what}`);
}

/** `value[key]`, or undefined where Python raises a TypeError or LookupError. */
function subscript(value: Value, key: Value, meter: Meter): Value | undefined {
  if (value instanceof Undefined) return value.fail();
  if (value instanceof Dict) return isHashable(key) ? value.get(key) : undefined;
  const index = intOf(key);
  return index === undefined ? undefined : itemAt(value, index, meter);
}

function isHashable(key: Value): boolean {
  return typeof key !== "object" || key === null || !["list", "dict"].includes(key.typeName);
}

/**
 * Returns `value.name`: an attribute, or else the item of that name, or else Undefined.
 * @throws TemplateFailure when `value` is undefined
 */
export function getAttribute(value: Value, name: string, meter: Meter): Value {
  const attribute = attributeOf(value, name, lookupIn(meter));
  if (attribute !== undefined) return attribute;
  return orElse(subscript(value, name, meter), () => missing(value, name));
}

/**
 * Returns `value[key]`: an item, or else the attribute of that name, or else Undefined.
 * @throws TemplateFailure when `value` is undefined
 */
export function getItem(value: Value, key: Value, meter: Meter): Value {
  const item = subscript(value, key, meter);
  if (item !== undefined) return item;
  const name = textOf(key);
  const attribute = name === undefined ? undefined : attributeOf(value, name, lookupIn(meter));
  return orElse(attribute, () => missing(value, key));
}

function lookupIn(meter: Meter) {
  return (value: Value, name: string | bigint, isAttribute: boolean): Value =>
    isAttribute ? getAttribute(value, String(name), meter) : getItem(value, name, meter);
}
