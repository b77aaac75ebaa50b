import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { throwIfCancelled } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { chatPieces, writeChat } from "./self-written-chat.ts";
import type { WindowPlan, WriteWindows } from "./window-plan.ts";
import { expectWindow } from "./windows.ts";

/** How text is sampled from the model itself. */
export interface SelfGeneratedOptions {
  readonly write: WriteWindows;
  readonly tokenizer: Tokenizer;
  /** `chat`: conversations by the model's chat template, user and assistant. */
  readonly form: "text" | "chat";
  /** Which of the model's chat templates. */
  readonly template?: string | undefined;
  /** Number of windows. */
  readonly samples: number;
  /** Tokens a window. */
  readonly window: number;
  readonly seed: number;
  /** Windows that the same options gave before; they are taken as they are. */
  readonly earlier?: readonly Int32Array[];
  /** Called after each new window; `done` counts all. */
  readonly onWindow?: (window: Int32Array, done: number) => Promise<void> | void;
  readonly signal?: AbortSignal | undefined;
}

/** Windows that are written together. Figures may depend on it in the last bits, so that it is fixed. */
const together = 32;

/** Tokens that are taken greedily after the start token: 3, 4 and 5 by turns. */
const greedyLengths = [3, 4, 5];

/**
 * Samples calibration windows `[window]` from the model itself, many at a time. Windows that are
 * missing of a group are written with all of it, so that a run that was interrupted ends with the
 * same text.
 * @throws UsageError when the window has no room for generated tokens
 * @throws UnsupportedError for conversations when the model has no chat template
 */
export async function generateCalibration(options: SelfGeneratedOptions): Promise<Int32Array[]> {
  const { write, samples, window: length, earlier = [], signal } = options;
  const plans = options.form === "chat" ? chatPlans(options) : textPlans(options);
  const windows = earlier.slice(0, samples);
  for (let first = 0; first < samples; first += together) {
    const last = Math.min(first + together, samples);
    if (windows.length >= last) continue;
    throwIfCancelled(signal);
    const written = await write(plans().slice(first, last), length);
    for (const window of written.slice(windows.length - first)) {
      windows.push(window);
      await options.onWindow?.(window, windows.length);
    }
  }
  return windows;
}

/**
 * Windows of text: the model's start ids and a start token, then 3 to 5 of the most likely tokens,
 * then what is drawn. Start tokens sweep the vocabulary without its special tokens, in an order
 * drawn by the seed. Data-free calibration of LLM-QAT, arXiv 2305.17888, section 3.1; there all
 * start tokens are used in order, here as many as there are samples.
 */
function textPlans({ tokenizer, samples, window, seed }: SelfGeneratedOptions): () => WindowPlan[] {
  const { startIds, specialIds, vocabularySize } = tokenizer;
  expectWindow(window, startIds.length + 2);
  const prng = new Prng(seed);
  const ids = Array.from({ length: vocabularySize }, (_, id) => id).filter(
    (id) => tokenizer.idToToken(id) !== null && !specialIds.has(id),
  );
  const plans = Array.from({ length: samples }, (_, n): WindowPlan => {
    const turn = n % ids.length;
    const pick = turn + prng.below(ids.length - turn);
    [ids[turn], ids[pick]] = [ids[pick], ids[turn]];
    const front = [...startIds, ids[turn]];
    const greedyEnd = front.length + greedyLengths[n % greedyLengths.length];
    return {
      next: ({ length }) => front[length] ?? (length < greedyEnd ? "likeliest" : "drawn"),
      seed: prng.uint32(),
    };
  });
  return () => plans;
}

/** Windows of conversations, each from its beginning on; only the draws differ. */
function chatPlans(options: SelfGeneratedOptions): () => WindowPlan[] {
  const { tokenizer, template, samples, window, seed } = options;
  const pieces = chatPieces(tokenizer, template);
  expectWindow(window, pieces.opening.length + 1);
  const prng = new Prng(seed);
  const seeds = Array.from({ length: samples }, () => prng.uint32());
  return () => seeds.map((of) => ({ next: writeChat(pieces, window), seed: of }));
}
