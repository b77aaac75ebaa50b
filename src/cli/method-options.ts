import { type Command, Option } from "commander";
import { z } from "zod";
import type { Method } from "../methods/define-method.ts";
import { UsageError } from "../util/errors.ts";
import { finiteNumber } from "./options.ts";

/** One option of one method, as its schema describes it. */
interface MethodOption {
  readonly method: string;
  readonly name: string;
  readonly type: "boolean" | "number" | "string";
  readonly choices: readonly string[] | null;
  readonly byDefault: unknown;
  readonly description: string;
}

/** What a command line says of a method option. */
type Given = Readonly<Record<string, unknown>>;

/**
 * Adds a flag for every option of every method, from the methods' schemas, in help groups by the methods
 * that share it. Flags have no defaults here: those are the schema's.
 */
export function addMethodOptions(
  command: Command,
  methods: Readonly<Record<string, Method>>,
): void {
  const all = Object.values(methods).flatMap(optionsOf);
  for (const name of new Set(all.map((option) => option.name))) {
    const sharing = all.filter((option) => option.name === name);
    const owners = sharing.map((option) => option.method).join(", ");
    command.optionsGroup(`Options of ${owners}:`);
    for (const flag of flagsOf(sharing)) command.addOption(flag);
  }
}

/**
 * Picks the options of the chosen method out of a command line.
 * @throws UsageError when an option of another method was given
 */
export function pickMethodOptions(
  chosen: Method,
  methods: Readonly<Record<string, Method>>,
  given: Given,
): Record<string, unknown> {
  const own = new Set(optionsOf(chosen).map((option) => option.name));
  const picked: Record<string, unknown> = {};
  for (const option of Object.values(methods).flatMap(optionsOf)) {
    const value = given[option.name];
    if (value === undefined) continue;
    if (!own.has(option.name)) throw notOf(chosen, option, own);
    picked[option.name] = value;
  }
  return picked;
}

function notOf(chosen: Method, option: MethodOption, own: ReadonlySet<string>): UsageError {
  const flags = [...own].map((name) => `--${kebabCase(name)}`).join(", ");
  return new UsageError(
    `--${kebabCase(option.name)} is an option of ${option.method}, and the method is ${chosen.id}`,
    { hint: flags ? `${chosen.id} has ${flags}` : `${chosen.id} has no options` },
  );
}

/** The flags of an option that some methods share; switches that are on by default can be turned off. */
function flagsOf(sharing: readonly MethodOption[]): Option[] {
  const [option] = sharing as [MethodOption];
  const name = kebabCase(option.name);
  if (option.type === "boolean") {
    const on = sharing.filter(({ byDefault }) => byDefault === true).map(({ method }) => method);
    const note = on.length > 0 ? ` (${on.join(", ")}: by default)` : "";
    const flags = [new Option(`--${name}`, option.description + note)];
    return on.length > 0 ? [...flags, new Option(`--no-${name}`, "leave that out")] : flags;
  }
  const suffix = option.byDefault === undefined ? "" : ` (default: ${String(option.byDefault)})`;
  const flag = new Option(
    `--${name} <${option.type === "number" ? "number" : "value"}>`,
    option.description + suffix,
  );
  if (option.choices) return [flag.choices([...option.choices])];
  return [option.type === "number" ? flag.argParser(finiteNumber) : flag];
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
      type:
        type === "integer" || type === "number" ? "number" : type === "boolean" ? type : "string",
      choices: choices ? choices.map(String) : null,
      byDefault,
      description,
    };
  });
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
