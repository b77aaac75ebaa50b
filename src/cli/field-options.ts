import { type Command, Option } from "commander";
import { z } from "zod";
import { defaultWords, type Field } from "../util/fields.ts";
import { elementOf, readWord } from "../util/field-words.ts";
import { markRare } from "./help.ts";
import { asArgument, choiceOption, choicesOption } from "./options.ts";

/* Where fields and flags meet: all that a command line says of a field follows from the field. */

const fieldOfOption = new WeakMap<Option, Field>();

/** Adds a flag for each field, and behind some, by their names, flags of the command's own. */
export function addFieldOptions(
  command: Command,
  fields: readonly Field[],
  behind: Readonly<Record<string, readonly Option[]>> = {},
): void {
  for (const field of fields) {
    const option = makeOption(field, helpOf(field));
    fieldOfOption.set(option, field);
    if (!field.common) markRare(option);
    command.optionsGroup(field.group).addOption(option);
    for (const other of behind[field.path.join(".")] ?? []) command.addOption(other);
  }
}

/** Returns what a command line says of fields, in the form that they have. */
export function readFields(command: Command): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const option of command.options) {
    const field = fieldOfOption.get(option);
    const name = option.attributeName();
    if (!field || (command.getOptionValueSource(name) ?? "default") === "default") continue;
    const section = field.path.slice(0, -1).reduce((inner, part) => {
      return (inner[part] ??= {}) as Record<string, unknown>;
    }, given);
    section[field.path[field.path.length - 1]] = command.getOptionValue(name);
  }
  return given;
}

/** Finds the flags that say fields, by the names that errors of the library give to these. */
export function flagNames(command: Command): (field: string) => string | undefined {
  const flags = new Map<string, string>();
  for (const option of command.options) {
    const path = fieldOfOption.get(option)?.path ?? [];
    for (const name of [option.attributeName(), path.join("."), path.at(-1) ?? ""]) {
      if (!flags.has(name)) flags.set(name, option.long ?? "");
    }
  }
  // A list of the library is a flag that may be repeated, and names one of its entries.
  return (field) => flags.get(field) ?? flags.get(field.replace(/s$/, ""));
}

/** Makes the flag of a field; `help` is what is said of it. */
export function makeOption(field: Field, help: string): Option {
  const { flag, schema, off, unit = "value" } = field;
  if (schema instanceof z.ZodBoolean) return new Option(`--${off ? "no-" : ""}${flag}`, help);
  const isList = schema instanceof z.ZodArray;
  const element = elementOf(field);
  const choices =
    field.choices ?? (element instanceof z.ZodEnum ? element.options.map(String) : []);
  if (choices.length > 0)
    return (isList ? choicesOption : choiceOption)(`--${flag}`, choices, help, field.known);
  const parse = (word: string, earlier: unknown): unknown => {
    const value = asArgument(() => readWord(field, word));
    return isList ? [...((earlier ?? []) as unknown[]), value] : value;
  };
  return new Option(`--${flag} <${unit}>`, help).argParser(parse);
}

function helpOf(field: Field): string {
  const { description, off, schema } = field;
  if (off !== undefined) return off;
  const words = description.replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase());
  if (schema instanceof z.ZodBoolean) return words;
  if (schema instanceof z.ZodArray) return `${words} (repeatable)`;
  const otherwise = defaultWords(field);
  return otherwise === undefined ? words : `${words} (default: ${otherwise})`;
}
