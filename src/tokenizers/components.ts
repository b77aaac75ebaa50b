import * as z from "zod";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { parseValue } from "../util/parse-value.ts";

/** A normalizer, pre-tokenizer, post-processor or decoder as `tokenizer.json` describes it. */
export type Component = { readonly type: string; readonly [option: string]: unknown };

/** Makes a component; `place` says where its description stands, for messages. */
export type ComponentMaker<Made> = (config: unknown, place: string) => Made;

/** The types of one family of components, by the name that `type` has. */
export type ComponentFamily<Made> = ReadonlyMap<string, ComponentMaker<Made>>;

/** One character: a whole code point. */
export const characterSchema = z
  .string()
  .refine((text) => [...text].length === 1, { error: "expected one character" });

/**
 * Checks a value of a file against what is expected there. `place`: the file, or a part of it as
 * `partOf` writes it.
 * @throws FormatError naming the place
 */
export function checkPart<S extends z.ZodType>(
  schema: S,
  value: unknown,
  place: string,
): z.output<S> {
  return parseValue(schema, value, ({ field, message, hint }) => {
    const at = field === "" ? place : partOf(place, field);
    return new FormatError(`${at}: ${message}`, { hint });
  });
}

/** Names a part of a file, or of a part: `tokenizer.json: normalizer.pattern`. */
export function partOf(place: string, field: string): string {
  if (!place.includes(": ")) return `${place}: ${field}`;
  return field.startsWith("[") ? place + field : `${place}.${field}`;
}

/** A maker that checks the options first. */
export function component<S extends z.ZodType, Made>(
  options: S,
  make: (options: z.output<S>, place: string) => Made,
): ComponentMaker<Made> {
  return (config, place) => make(checkPart(options, config, place), place);
}

const anyComponent = z.looseObject({ type: z.string() });

/**
 * Makes a component of a family. `what` names the family for messages.
 * @throws UnsupportedError for a type that is not known
 * @throws FormatError for options that are wrong
 */
export function makeComponent<Made>(
  family: ComponentFamily<Made>,
  what: string,
  config: unknown,
  place: string,
): Made {
  const { type } = checkPart(anyComponent, config, place);
  const make = family.get(type);
  if (make) return make(config, place);
  throw new UnsupportedError(`${place}: the tokenizer has a ${what} of unknown type "${type}"`, {
    hint: `fewbit knows ${[...family.keys()].join(", ")}`,
  });
}

/** Most sequences within each other. */
const deepest = 64;

/** Makes the parts of a sequence. @throws UnsupportedError FormatError as `makeComponent` */
export function makeSequence<Made>(
  family: ComponentFamily<Made>,
  what: string,
  configs: readonly unknown[],
  place: string,
): Made[] {
  if (place.split("[").length > deepest) {
    throw new FormatError(`${place.slice(0, 100)}…: sequences are nested too deep`);
  }
  return configs.map((config, i) => makeComponent(family, what, config, partOf(place, `[${i}]`)));
}
