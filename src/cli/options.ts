import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { UsageError } from "../util/errors.ts";
import { readNumber } from "../util/field-words.ts";
import { nearestName } from "../util/nearest.ts";
import { addHelpAll, markRare } from "./help.ts";
import type { Verbosity } from "./terminal.ts";

/** Options that every command has. */
export type VerbosityOptions = Verbosity;

/** Options of commands that compute. */
export interface ComputeOptions {
  readonly threads?: number;
  readonly backend?: "native" | "reference";
}

/** What the help of every command says of its model. */
export const modelArgument =
  "directory of the checkpoint, GGUF file, or hf:owner/name[@revision][:file.gguf]";

/** Adds `--json`, `--quiet` and `--verbose`. */
export function addVerbosityOptions(command: Command): Command {
  return addHelpAll(command.optionsGroup("Output:"))
    .option("--json", "print one JSON document on standard output")
    .addOption(new Option("--quiet", "print results and errors only").conflicts("verbose"))
    .option("--verbose", "print what is done in more detail");
}

/** Adds `--threads` and `--backend`. */
export function addComputeOptions(command: Command): Command {
  return command
    .optionsGroup("Machine:")
    .option("--threads <n>", "number of threads (default: the fastest)", positiveInteger)
    .addOption(
      markRare(
        choiceOption(
          "--backend",
          ["native", "reference"],
          "what computes (default: native where it is built)",
        ),
      ),
    );
}

/** What stands in a flag's help at most, so that the column of flags leaves room for the texts. */
const longestChoices = 20;

/**
 * Makes an option with a fixed set of values, which its help shows: in the flag or in the text.
 * Values of `known` are let through besides: what is wrong with them is said elsewhere.
 */
export function choiceOption(
  flag: string,
  choices: readonly string[],
  description: string,
  known: readonly string[] = [],
): Option {
  return listChoices(flag, choices, description).argParser((text: string) =>
    expectChoice(text, choices, known),
  );
}

function listChoices(flag: string, choices: readonly string[], description: string): Option {
  const listed = choices.join("|");
  const long = listed.length > longestChoices;
  const text = long ? `${description}; one of ${choices.join(", ")}` : description;
  return new Option(`${flag} <${long ? "choice" : listed}>`, text);
}

/** Makes an option with a fixed set of values that may be given several times. */
export function choicesOption(
  flag: string,
  choices: readonly string[],
  description: string,
  known: readonly string[] = [],
): Option {
  const parse = (text: string, earlier: readonly string[] = []): string[] => [
    ...earlier,
    expectChoice(text, choices, known),
  ];
  return listChoices(flag, choices, description).argParser(parse);
}

function expectChoice(text: string, choices: readonly string[], known: readonly string[]): string {
  if (choices.includes(text) || known.includes(text)) return text;
  const nearest = nearestName(text, choices);
  // As commander itself writes what was meant.
  const meant = nearest === null ? "" : `\n(Did you mean ${nearest}?)`;
  throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.${meant}`);
}

/**
 * Makes sure that options which a command cannot do without were given. (Commander's own check
 * comes before the one for unknown options, and so hides a typing error.)
 * @throws UsageError that names those missing
 */
export function expectGiven<T extends object>(
  options: T,
  needed: readonly (keyof T & string)[],
  command: string,
): void {
  const missing = needed.filter((name) => options[name] === undefined).map((name) => `--${name}`);
  if (missing.length === 0) return;
  throw new UsageError(`${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing`, {
    hint: `fewbit ${command} -h begins with an example`,
  });
}

/** Texts that may say nothing. */
const maybeEmpty = new Set(["prompt", "system"]);

/**
 * Refuses empty words of a command line, which a shell makes of variables that are not set.
 * @throws UsageError that names the option or argument
 */
export function expectNoEmptyWords(command: Command): void {
  const given = command.options.map((option): [string, unknown] => {
    const name = option.attributeName();
    return [option.long ?? "", maybeEmpty.has(name) ? undefined : command.getOptionValue(name)];
  });
  const named = command.registeredArguments.map((argument, index): [string, unknown] => [
    `the argument <${argument.name()}>`,
    command.args[index],
  ]);
  const [empty] = [...named, ...given].find(([, value]) => [value].flat().includes("")) ?? [];
  if (empty === undefined) return;
  throw new UsageError(`${empty} is empty`, { hint: "is a variable of the shell not set?" });
}

/** Reads a whole number of at least 1. */
export const positiveInteger = parserOf(z.int().positive());

/** Reads a number of tokens a window, of which the first is only seen. */
export const windowLength = parserOf(z.int().min(2));

/** Reads a whole number of at least 0. */
export const nonNegativeInteger = parserOf(z.int().nonnegative());

/** Reads a number of at least 0. */
export const nonNegativeNumber = parserOf(z.number().nonnegative());

/** Reads a number above 0. */
export const positiveNumber = parserOf(z.number().positive());

/** Reads a share of 1. */
export const share = parserOf(z.number().min(0).max(1));

function parserOf(schema: z.ZodNumber): (word: string) => number {
  return (word) => asArgument(() => readNumber(schema, word));
}

/** What cannot be read is the fault of an argument. */
export function asArgument<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof UsageError ? new InvalidArgumentError(error.message) : error;
  }
}

/** Gathers the values of an option that may be given several times. */
export function collect(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}

/** Leaves out the entries that are undefined, so that the library's defaults hold. */
export function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
