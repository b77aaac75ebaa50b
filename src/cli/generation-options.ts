import type { Command } from "commander";
import type { Products } from "../backend/packed-operand.ts";
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

/** Options of commands that generate text. */
export interface GenerationOptions {
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly seed?: number;
  readonly stop?: string[];
  readonly exact?: boolean;
  readonly kvCache?: "f32" | "f16" | "i8";
  readonly prefillChunk?: number;
}

/** Adds the options of commands that generate text. */
export function addGenerationOptions(command: Command): Command {
  return command
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
        ["f32", "f16", "i8"],
        "what keys and values are kept as (default: f16)",
      ),
    )
    .option(
      "--prefill-chunk <n>",
      "prompt tokens a pass; fewer need less memory (default: 512)",
      positiveInteger,
    );
}

/** Picks the library's generation options out of a command line. */
export function pickGenerationOptions(
  options: GenerationOptions,
): Omit<GenerationOptions, "exact"> & { readonly products: Products } {
  const products = options.exact ? "exact" : "fast";
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop } = options;
  const { kvCache, prefillChunk } = options;
  const drawn = { temperature, topK, topP, minP, repetitionPenalty, seed };
  return { ...defined({ maxTokens, ...drawn, stop, kvCache, prefillChunk }), products };
}
