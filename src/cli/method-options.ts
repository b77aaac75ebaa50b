import { type Command, Option } from "commander";
import { z } from "zod";
import type { Method } from "../methods/define-method.ts";
import { UsageError } from "../util/errors.ts";
import { finiteNumber } from "./options.ts";

/** One option of one method, as its schema describes it. */
interface MethodOption {
  readonly method: string;
  /** Name in the method's schema. */
  readonly name: string;
  /**
   * Name of its flag: of transforms and finishers with the method's id before it, for several
   * methods meet there.
   */
  readonly flag: string;
  readonly type: "boolean" | "number" | "string";
  readonly choices: readonly string[] | null;
  readonly byDefault: unknown;
  readonly description: string;
}

/** What a command line says of a method option. */
type Given = Readonly<Record<string, unknown>>;

/**
 * Adds a flag for every option of every method, from the methods' schemas, in help groups by the
 * methods that share it. Flags have no defaults here: those are the schema's.
 */
export function addMethodOptions(
  command: Command,
  methods: Readonly<Record<string, Method>>,
): void {
  const all = Object.values(methods).flatMap(optionsOf);
  for (const flag of new Set(all.map((option) => option.flag))) {
    const sharing = all.filter((option) => option.flag === flag);
    const owners = sharing.map((option) => option.method).join(", ");
    command.optionsGroup(`Options of ${owners}:`);
    for (const option of flagsOf(sharing)) command.addOption(option);
  }
}

/**
 * Picks the options of the chosen methods out of a command line, by the ids of the methods.
 * @throws UsageError when an option of another method was given
 */
export function pickMethodOptions(
  chosen: readonly Method[],
  methods: Readonly<Record<string, Method>>,
  given: Given,
): Map<string, Record<string, unknown>> {
  const own = new Set(chosen.flatMap(optionsOf).map((option) => option.flag));
  for (const option of Object.values(methods).flatMap(optionsOf)) {
    if (given[option.flag] !== undefined && !own.has(option.flag)) throw notOf(chosen, option, own);
  }
  const pick = (method: Method): [string, unknown][] =>
    optionsOf(method)
      .filter(({ flag }) => given[flag] !== undefined)
      .map(({ name, flag }) => [name, given[flag]]);
  return new Map(chosen.map((method) => [method.id, Object.fromEntries(pick(method))]));
}

function notOf(
  chosen: readonly Method[],
  option: MethodOption,
  own: ReadonlySet<string>,
): UsageError {
  const flags = [...own].map((flag) => `--${kebabCase(flag)}`).join(", ");
  const names = chosen.map(({ id }) => id).join(", ");
  return new UsageError(
    `--${kebabCase(option.flag)} is an option of ${option.method}, ` +
      `and the ${chosen.length > 1 ? "methods are" : "method is"} ${names}`,
    { hint: flags ? `${names} has ${flags}` : `${names} has no options` },
  );
}

/**
 * The flags of an option that some methods share; switches that are on by default can be turned
 * off.
 */
function flagsOf(sharing: readonly MethodOption[]): Option[] {
  const [option] = sharing as [MethodOption];
  const name = kebabCase(option.flag);
  if (option.type === "boolean") {
    const on = sharing.filter(({ byDefault }) => byDefault === true).map(({ method }) => method);
    const note = on.length > 0 ? ` (${on.join(", ")}: by default)` : "";
    const flags = [
      new Option(`--${name}`, wordsOf(sharing, ({ description }) => description) + note),
    ];
    return on.length > 0 ? [...flags, new Option(`--no-${name}`, "leave that out")] : flags;
  }
  const withDefault = ({ description, byDefault }: MethodOption): string =>
    byDefault === undefined ? description : `${description} (default: ${String(byDefault)})`;
  const flag = new Option(
    `--${name} <${option.choices?.join("|") ?? (option.type === "number" ? "number" : "value")}>`,
    wordsOf(sharing, withDefault),
  );
  if (option.choices) return [flag.choices([...option.choices])];
  return [option.type === "number" ? flag.argParser(finiteNumber) : flag];
}

/**
 * What methods say of an option that they share: once where they agree, otherwise each with its
 * methods.
 */
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

/** Reads a method's options off the JSON schema of what it accepts. */
function optionsOf(method: Method): MethodOption[] {
  const { properties = {} } = z.toJSONSchema(method.options, { io: "input" });
  return Object.entries(properties).map(([name, schema]) => {
    const {
      type,
      enum: choices,
      default: byDefault,
      description = "",
    } = schema as z.core.JSONSchema.Schema;
    return {
      method: method.id,
      name,
      flag: method.role === "quantizer" ? name : camelCase(`${method.id}-${kebabCase(name)}`),
      type:
        type === "integer" || type === "number" ? "number" : type === "boolean" ? type : "string",
      choices: choices ? choices.map(String) : null,
      byDefault,
      description,
    };
  });
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
