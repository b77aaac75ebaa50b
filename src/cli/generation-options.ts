import type { Command } from "commander";
import type { Products } from "../backend/packed-operand.ts";
import type { GenerateOptions } from "../runtime/generate.ts";
import { markRareFlags } from "./help.ts";
import {
  choiceOption,
  collect,
  defined,
  nonNegativeInteger,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  share,
} from "./options.ts";

const names = [
  "maxTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "seed",
  "stop",
  "kvCache",
  "prefillChunk",
] as const;

type Chosen = Pick<GenerateOptions, (typeof names)[number]>;

/** Options of commands that generate text. */
export interface GenerationOptions extends Chosen {
  readonly exact?: boolean;
}

/** Adds the options of commands that generate text. */
export function addGenerationOptions(command: Command): Command {
  command
    .optionsGroup("Generation:")
    .option(
      "--max-tokens <n>",
      "tokens to generate at most (default: 256, or the context)",
      positiveInteger,
    )
    .option("--temperature <t>", "0 takes the most likely token (default: 0)", nonNegativeNumber)
    .option("--top-k <k>", "draw from the k most likely tokens, 0 for all", nonNegativeInteger)
    .option("--top-p <p>", "draw from the most likely tokens that sum to p", share)
    .option("--min-p <p>", "draw from tokens at least p times as likely as the first", share)
    .option(
      "--repetition-penalty <x>",
      "make tokens seen before less likely, above 1",
      positiveNumber,
    )
    .option("--seed <n>", "seed of the draws (default: 0)", nonNegativeInteger)
    .option("--stop <text>", "end before this text (repeatable)", collect)
    .option("--exact", "multiply packed weights without rounding their inputs to 8 bits")
    .addOption(
      choiceOption(
        "--kv-cache",
        ["f32", "f16", "i8", "i4"],
        "what keys and values are kept as (default: the model's, or f16)",
      ),
    )
    .option(
      "--prefill-chunk <n>",
      "prompt tokens a pass; fewer need less memory (default: 512)",
      positiveInteger,
    );
  const flags = ["--min-p", "--repetition-penalty", "--exact", "--kv-cache", "--prefill-chunk"];
  return markRareFlags(command, ...flags);
}

/** Picks the library's generation options out of a command line. */
export function pickGenerationOptions(
  options: GenerationOptions,
): Chosen & { readonly products: Products } {
  const chosen: Chosen = Object.fromEntries(names.map((name) => [name, options[name]]));
  return { ...defined(chosen), products: options.exact ? "exact" : "fast" };
}
