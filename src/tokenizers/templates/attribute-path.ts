import type { Engine } from "./engine.ts";
import { getItem } from "./lookup.ts";
import { textOf, Undefined, type Value } from "./values.ts";

/** Reads something of a value: an attribute of an attribute, in lower case. */
export type Getter = (value: Value) => Value;

function partsOf(path: Value): readonly Value[] {
  if (path === null) return [];
  const text = textOf(path);
  if (text === undefined) return [path];
  return text.split(".").map((part) => (/^\p{Nd}+$/u.test(part) ? BigInt(part) : part));
}

/** Texts in lower case, everything else as it is. */
export function ignoreCase(value: Value): Value {
  return textOf(value)?.toLowerCase() ?? value;
}

/**
 * Returns a reader of the attribute that a path like `function.name` or `0.id` names; `otherwise`
 * stands for what is not there.
 */
export function attributeGetter(
  engine: Engine,
  path: Value,
  lowerCase: boolean,
  otherwise: Value = null,
): Getter {
  const parts = partsOf(path);
  return (value) => {
    let item = value;
    for (const part of parts) {
      item = getItem(item, part, engine.meter);
      if (item instanceof Undefined && otherwise !== null) item = otherwise;
    }
    return lowerCase ? ignoreCase(item) : item;
  };
}
