import type { Products } from "../../backend/packed-operand.ts";
import { generateText } from "../../runtime/generate.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import type { GenerateChoice } from "./generation.ts";
import { type OpenedPrompts, settingsOf } from "./open-prompts.ts";

/** What a model wrote to one prompt. */
export interface Written {
  /** The tokens, with the one that ends a text if it came to that. */
  readonly ids: readonly number[];
  readonly text: string;
  /** The model ended it itself. */
  readonly ended: boolean;
}

/** How continuations are written. */
export interface WriteOptions {
  readonly choice: GenerateChoice;
  /** How packed weights multiply. */
  readonly products: Products;
  readonly signal?: AbortSignal | undefined;
  /** Called after each continuation. */
  readonly onWritten?: (() => void) | undefined;
}

/**
 * Lets a model continue prompts; draws to each prompt are seeded by its place, so that the first
 * few get the same whatever follows.
 * @throws NumericError when the model's logits are not numbers
 * @throws CancelledError when `signal` is aborted
 */
export async function writeContinuations(
  model: LanguageModel,
  { prompts }: OpenedPrompts,
  { choice, products, signal, onWritten }: WriteOptions,
): Promise<Written[]> {
  const { temperature, seed } = settingsOf(choice);
  const written: Written[] = [];
  for (const [index, { ids: prompt, maxTokens }] of prompts.entries()) {
    const request = { prompt, maxTokens, temperature, seed: seed + index, products, signal };
    const { text, tokens, stats } = await generateText(model, request);
    written.push({ ids: tokens, text, ended: stats.finishReason === "eos" });
    onWritten?.();
  }
  return written;
}

/** The tokens of a continuation without the one that ends it. */
export function saidTokens({ ids, ended }: Written): readonly number[] {
  return ended ? ids.slice(0, -1) : ids;
}
