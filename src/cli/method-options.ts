import { type Command, Option } from "commander";
import { z } from "zod";
import type { Method } from "../methods/define-method.ts";
import { methods } from "../methods/index.ts";
import { optionFields } from "../recipe/recipe.ts";
import { UsageError } from "../util/errors.ts";
import type { Field } from "../util/fields.ts";
import { wrapText } from "../report/wrap-text.ts";
import { makeOption } from "./field-options.ts";
import { markRare } from "./help.ts";

/** One option of one method. */
interface MethodOption extends Field {
  readonly method: string;
}

/**
 * Adds a flag for every option of every method, from the methods' schemas, in help groups by the
 * methods that share it. Flags have no defaults here: those are the schema's.
 */
export function addMethodOptions(command: Command): void {
  const all = Object.values<Method>(methods).flatMap(optionsOf);
  for (const flag of new Set(all.map((option) => option.flag))) {
    const sharing = all.filter((option) => option.flag === flag);
    const heading = `Options of ${sharing.map(({ method }) => method).join(", ")}:`;
    command.optionsGroup(wrapText(heading, 80, "").join("\n"));
    for (const option of flagsOf(sharing)) command.addOption(markRare(option));
  }
}

/**
 * Picks the options of the chosen methods out of a command line, by the ids of the methods; those
 * of a start are the flags that none of the others has.
 * @throws UsageError when an option of another method was given
 */
export function pickMethodOptions(
  chosen: readonly Method[],
  start: Method | null,
  given: Readonly<Record<string, unknown>>,
): Map<string, Record<string, unknown>> {
  const valueOf = ({ flag }: MethodOption): unknown => given[camelCase(flag)];
  const own = new Set(chosen.flatMap(optionsOf).map(({ flag }) => flag));
  const ofStart = (start ? optionsOf(start) : []).filter(({ flag }) => !own.has(flag));
  const known = new Set([...own, ...ofStart.map(({ flag }) => flag)]);
  for (const option of Object.values<Method>(methods).flatMap(optionsOf)) {
    if (valueOf(option) !== undefined && !known.has(option.flag))
      throw foreignOption([...chosen, ...(start ? [start] : [])], option, known);
  }
  const pick = (options: readonly MethodOption[]): Record<string, unknown> =>
    Object.fromEntries(
      options
        .filter((option) => valueOf(option) !== undefined)
        .map((option) => [option.path[0], valueOf(option)]),
    );
  const picked = chosen.map((method): [string, Record<string, unknown>] => {
    return [method.id, pick(optionsOf(method))];
  });
  return new Map([...(start ? [[start.id, pick(ofStart)] as const] : []), ...picked]);
}

function foreignOption(
  chosen: readonly Method[],
  option: MethodOption,
  own: ReadonlySet<string>,
): UsageError {
  const flags = [...own].map((flag) => `--${flag}`).join(", ");
  const names = chosen.map(({ id }) => id).join(", ");
  return new UsageError(
    `--${option.flag} is an option of ${option.method}, ` +
      `and the ${chosen.length > 1 ? "methods are" : "method is"} ${names}`,
    { hint: flags ? `${names} has ${flags}` : `${names} has no options` },
  );
}

/** The flags of an option that some methods share; switches that are on can be turned off. */
function flagsOf(sharing: readonly MethodOption[]): Option[] {
  const [{ flag, schema }] = sharing;
  if (schema instanceof z.ZodBoolean) {
    const on = sharing.filter(({ byDefault }) => byDefault === true).map(({ method }) => method);
    const note = on.length > 0 ? ` (${on.join(", ")}: by default)` : "";
    const canBeOff = sharing.some(({ byDefault }) => byDefault !== false);
    const flags = [
      new Option(`--${flag}`, wordsOf(sharing, ({ description }) => description) + note),
    ];
    return canBeOff ? [...flags, new Option(`--no-${flag}`, "leave that out")] : flags;
  }
  const withDefault = ({ description, byDefault }: MethodOption): string =>
    byDefault === undefined ? description : `${description} (default: ${String(byDefault)})`;
  return [makeOption(widest(sharing), wordsOf(sharing, withDefault))];
}

/**
 * A number or a word that one of the methods takes is for its schema to judge, when the method is
 * known.
 */
function widest(sharing: readonly MethodOption[]): Field {
  const [option] = sharing;
  if (option.schema instanceof z.ZodEnum) {
    const words = sharing.flatMap(({ schema }) =>
      schema instanceof z.ZodEnum ? schema.options.map(String) : [],
    );
    return { ...option, schema: z.enum([...new Set(words)]) };
  }
  const isNumber = option.schema instanceof z.ZodNumber;
  if (!isNumber) return option;
  return { ...option, unit: "number", ...(sharing.length > 1 && { schema: z.number() }) };
}

/** What methods say of an option that they share: once where they agree, else each with its own. */
function wordsOf(
  sharing: readonly MethodOption[],
  describe: (option: MethodOption) => string,
): string {
  const byWords = new Map<string, MethodOption[]>();
  for (const option of sharing) {
    const words = describe(option);
    byWords.set(words, [...(byWords.get(words) ?? []), option]);
  }
  if (byWords.size === 1) return describe(sharing[0]);
  const parts = [...byWords].map(
    ([words, options]) => `${options.map(({ method }) => method).join(", ")}: ${words}`,
  );
  return parts.join("; ");
}

function optionsOf(method: Method): MethodOption[] {
  return optionFields(method).map((field) => ({ ...field, method: method.id }));
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
