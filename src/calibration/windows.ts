import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { UsageError } from "../util/errors.ts";
import { joinDocuments } from "./read-documents.ts";
import { TokenStream, windowsOf } from "./token-stream.ts";

/** A window of token ids; the predictions made at positions `[from, to)` count. */
export interface EvaluationWindow {
  readonly ids: Int32Array;
  /** First position whose prediction of the next token is scored. */
  readonly from: number;
  /** One past the last such position; at most `ids.length − 1`. */
  readonly to: number;
}

/** How a text is cut for evaluation. */
export interface EvaluationWindowOptions {
  /** Tokens a window. */
  readonly window: number;
  /**
   * `windows`: the start token once at the very start of the text, every prediction of a window
   * scored (GPTQ, AWQ, EfficientQAT: `window` 2048). `second-half`: the first token of each window
   * is overwritten by the start token, and only the second half is scored (llama.cpp: `window`
   * 512).
   */
  readonly protocol: "windows" | "second-half";
  /** Stop after this many windows. */
  readonly maxWindows?: number | undefined;
}

/**
 * Tokenises a text once and cuts it into non-overlapping windows; the remainder is dropped.
 * `<|doc|>` lines between documents count as empty lines. No more of the text is tokenised than
 * `maxWindows` needs.
 * @throws UsageError when the window is no sensible number, or the text has not enough tokens for
 * one
 */
export function evaluationWindows(
  text: string,
  tokenizer: Tokenizer,
  { window: length, protocol, maxWindows = Number.POSITIVE_INFINITY }: EvaluationWindowOptions,
): EvaluationWindow[] {
  expectWindow(length, 2);
  const stream = new TokenStream(tokenizer, joinDocuments(text), tokenizer.startIds);
  const from = protocol === "windows" ? 0 : Math.floor(length / 2);
  const found: EvaluationWindow[] = [];
  if (maxWindows <= 0) return found;
  for (const ids of windowsOf(stream, length)) {
    if (protocol === "second-half") ids.set(tokenizer.startIds.slice(0, 1));
    found.push({ ids, from, to: length - 1 });
    if (found.length >= maxWindows) break;
  }
  if (found.length > 0) return found;
  throw new UsageError(
    `the text has ${stream.taken} tokens, not enough for one window of ${length}`,
    { hint: "give more text, or a shorter window (`window`)", field: "window", value: length },
  );
}

/** Refuses a window length that is no whole number of at least `smallest`. @throws UsageError */
export function expectWindow(length: number, smallest: number): void {
  if (Number.isSafeInteger(length) && length >= smallest) return;
  throw new UsageError(`expected a window of at least ${smallest} tokens, got ${length}`, {
    field: "window",
    value: length,
  });
}
