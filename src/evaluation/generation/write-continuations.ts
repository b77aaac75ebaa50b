import type { Products } from "../../backend/packed-operand.ts";
import type { WindowPlan } from "../../calibration/window-plan.ts";
import { checkSampling } from "../../runtime/sampling.ts";
import { GeneratedText } from "../../runtime/generated-text.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { writeWindows } from "../../runtime/write-windows.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { GenerateChoice } from "./generation.ts";
import { type EncodedPrompt, type OpenedPrompts, settingsOf } from "./open-prompts.ts";

/** Prompts that are continued together; fixed, since near ties may depend on it. */
const together = 10;

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
  /** Called for each continuation when it has come to its end. */
  readonly onWritten?: (() => void) | undefined;
}

/**
 * Lets a model continue prompts, ten side by side. Draws to each prompt are seeded by its place.
 * @throws UsageError for a temperature below 0
 * @throws NumericError when the model's logits are not numbers
 * @throws CancelledError when `signal` is aborted
 */
export async function writeContinuations(
  model: LanguageModel,
  { prompts }: OpenedPrompts,
  { choice, products, signal, onWritten }: WriteOptions,
): Promise<Written[]> {
  const { temperature, seed } = settingsOf(choice);
  checkSampling({ temperature });
  const { tokenizer } = model;
  const written = new Array<Written>(prompts.length);
  // Those of about one length together: what of a prompt is longer is read token by token.
  const places = prompts.map((_, place) => place);
  places.sort((a, b) => prompts[a].ids.length - prompts[b].ids.length);
  for (let first = 0; first < places.length; first += together) {
    const group = places.slice(first, first + together);
    const plans = group.map((place): WindowPlan => {
      const how = temperature === 0 ? "likeliest" : "drawn";
      return { next: planOf(prompts[place], tokenizer, how, onWritten), seed: seed + place };
    });
    // One more than the longest, for which every plan says that it is at its end.
    const lengths = group.map((place) => prompts[place].ids.length + prompts[place].maxTokens);
    const length = 1 + Math.max(...lengths);
    const windows = await writeWindows(model, plans, length, { temperature, products, signal });
    for (const [row, place] of group.entries()) {
      written[place] = writtenTo(prompts[place], windows[row], tokenizer);
    }
  }
  return written;
}

/** Gives the prompt, then lets the model write until it ends the text or has written enough. */
function planOf(
  { ids: prompt, maxTokens }: EncodedPrompt,
  { eosIds }: Tokenizer,
  how: "likeliest" | "drawn",
  onWritten: (() => void) | undefined,
): WindowPlan["next"] {
  let isDone = false;
  return (ids) => {
    const count = ids.length - prompt.length;
    if (count < 0) return prompt[ids.length];
    const last = ids[ids.length - 1];
    if (count < maxTokens && (count === 0 || !eosIds.includes(last))) return how;
    if (!isDone) onWritten?.();
    isDone = true;
    return null;
  };
}

/** What of a window was written to its prompt, as far as the first token that ends a text. */
function writtenTo(
  { ids: prompt, maxTokens }: EncodedPrompt,
  window: Int32Array,
  tokenizer: Tokenizer,
): Written {
  const { eosIds } = tokenizer;
  const all = Array.from(window.subarray(prompt.length, prompt.length + maxTokens));
  const end = all.findIndex((id) => eosIds.includes(id));
  const ids = end < 0 ? all : all.slice(0, end + 1);
  const output = new GeneratedText({
    decode: (some) => tokenizer.decode(some, { skipSpecial: true }),
    prompt,
    stop: [],
    eosIds,
    maxTokens: ids.length,
  });
  const text = ids.map((id) => output.push(id).text).join("");
  return { ids, text, ended: end >= 0 };
}

/** The tokens of a continuation without the one that ends it. */
export function saidTokens({ ids, ended }: Written): readonly number[] {
  return ended ? ids.slice(0, -1) : ids;
}
