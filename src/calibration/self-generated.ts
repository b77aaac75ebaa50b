import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { expectWindow } from "./windows.ts";

/** What a generator is asked for: `maxTokens` ids that follow `prompt`, ends of text included. */
export interface GenerateRequest {
  readonly prompt: Int32Array;
  readonly maxTokens: number;
  /** 0: the most likely token each time. 1: drawn from the model's distribution as it is. */
  readonly temperature: 0 | 1;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** Continues a prompt with the model that is to be quantized; passed in by the caller. */
export type GenerateTokens = (request: GenerateRequest) => Promise<ArrayLike<number>>;

/** How text is sampled from the model itself. */
export interface SelfGeneratedOptions {
  readonly generate: GenerateTokens;
  readonly tokenizer: Tokenizer;
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

/** Tokens that are taken greedily after the start token: 3, 4 and 5 by turns. */
const greedyLengths = [3, 4, 5];

/**
 * Samples calibration windows `[window]` from the model itself. Each window begins with the model's
 * start ids and a start token; start tokens sweep the vocabulary without its special tokens, in an
 * order drawn by the seed. The first 3 to 5 tokens after it are the most likely ones, the rest are
 * drawn from the distribution. Data-free calibration of LLM-QAT, arXiv 2305.17888, section 3.1;
 * there all start tokens are used in order, here as many as there are samples.
 * @throws UsageError when the window has no room for generated tokens, or the generator gives too
 * few
 */
export async function generateCalibration(options: SelfGeneratedOptions): Promise<Int32Array[]> {
  const { generate, tokenizer, samples, window: length, signal } = options;
  const front = tokenizer.startIds.length + 1;
  expectWindow(length, front + 1);
  const prng = new Prng(options.seed);
  const ids = Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter(
    (id) => tokenizer.idToToken(id) !== null && !tokenizer.specialIds.has(id),
  );
  const windows: Int32Array[] = [];
  for (let n = 0; n < samples; n++) {
    throwIfCancelled(signal);
    const turn = n % ids.length;
    const pick = turn + prng.below(ids.length - turn);
    [ids[turn], ids[pick]] = [ids[pick], ids[turn]];
    const seed = prng.uint32();
    const earlier = options.earlier?.[n];
    if (earlier) {
      windows.push(earlier);
      continue;
    }
    const window = new Int32Array(length);
    window.set([...tokenizer.startIds, ids[turn]]);
    const greedyEnd = Math.min(length, front + greedyLengths[n % greedyLengths.length]);
    await extend(window, front, greedyEnd, { seed, signal, temperature: 0 }, generate);
    await extend(window, greedyEnd, length, { seed, signal, temperature: 1 }, generate);
    windows.push(window);
    await options.onWindow?.(window, windows.length);
  }
  return windows;
}

async function extend(
  window: Int32Array,
  start: number,
  end: number,
  request: Omit<GenerateRequest, "prompt" | "maxTokens">,
  generate: GenerateTokens,
): Promise<void> {
  if (end <= start) return;
  const prompt = window.slice(0, start);
  const tokens = await generate({ ...request, prompt, maxTokens: end - start });
  if (tokens.length < end - start) {
    throw new UsageError(
      `expected ${end - start} generated tokens, got ${tokens.length}: the model's context may ` +
        `be shorter than the calibration window of ${window.length}`,
      {
        hint: "ask for a shorter window (`window`)",
        field: "calibration.window",
        value: window.length,
      },
    );
  }
  for (let i = start; i < end; i++) window[i] = tokens[i - start];
}
