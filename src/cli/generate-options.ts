import type { Command } from "commander";
import type { GenerateSelection } from "../evaluation/generation/generation.ts";
import { markRareFlags } from "./help.ts";
import { defined, nonNegativeNumber, positiveInteger } from "./options.ts";
import { expectNone } from "./task-options.ts";

/** Options that let a model continue prompts, to measure what it writes. */
export interface PromptOptions {
  /** `true`: all prompts. */
  readonly generate?: number | true;
  readonly prompts?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly generateTo?: string;
  /** That of the tasks' examples too. */
  readonly seed?: number | undefined;
}

/** Adds the options that let a model continue prompts. */
export function addPromptOptions(command: Command): Command {
  command
    .optionsGroup("Continuations:")
    .option(
      "--generate [n]",
      "write continuations of the first n prompts, or all 20, and say what shows in them",
      positiveInteger,
    )
    .option("--prompts <file>", "prompts in place of the built-in ones: a line each, or JSON lines")
    .option("--max-tokens <n>", "tokens to write to each at most (default: 128)", positiveInteger)
    .option("--temperature <t>", "0 takes the most likely token (default: 0)", nonNegativeNumber);
  return markRareFlags(command, "--max-tokens", "--temperature");
}

/** Turns the options into the library's. @throws UsageError for those without `--generate` */
export function readPromptOptions(options: PromptOptions): {
  readonly generate?: GenerateSelection;
} {
  const { generate, prompts, maxTokens, temperature, generateTo, seed } = options;
  if (generate === undefined) {
    const how = { prompts, maxTokens, temperature, generateTo };
    expectNone(how, "says how prompts are continued, but there is no --generate");
    return {};
  }
  const count = generate === true ? undefined : generate;
  return { generate: defined({ count, prompts, maxTokens, temperature, seed, to: generateTo }) };
}
