import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { UsageError } from "../util/errors.ts";
import type { JoinedText } from "./read-joined-text.ts";
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
 * Tokenises a text once and cuts it into non-overlapping windows; the remainder is dropped. No more
 * of the text is tokenised than `maxWindows` needs.
 * @throws UsageError when the window or their number is no sensible one, nothing of a window would
 * be scored, or the text has not enough tokens for one
 */
export function evaluationWindows(
  { text, needsStart }: JoinedText,
  tokenizer: Pick<Tokenizer, "startIds" | "encodeLazily">,
  { window: length, protocol, maxWindows }: EvaluationWindowOptions,
): EvaluationWindow[] {
  expectScored({ window: length, protocol, maxWindows });
  const start = needsStart ? tokenizer.startIds : [];
  const stream = new TokenStream(tokenizer.encodeLazily(text), start);
  const from = firstScored(length, protocol);
  const found: EvaluationWindow[] = [];
  for (const ids of windowsOf(stream, length)) {
    if (protocol === "second-half") ids.set(tokenizer.startIds.slice(0, 1));
    found.push({ ids, from, to: length - 1 });
    if (found.length >= (maxWindows ?? Number.POSITIVE_INFINITY)) break;
  }
  if (found.length > 0) return found;
  throw new UsageError(
    `the text has ${stream.taken} tokens, not enough for one window of ${length}`,
    { hint: "give more text, or a shorter window (`window`)", field: "window", value: length },
  );
}

function firstScored(length: number, protocol: EvaluationWindowOptions["protocol"]): number {
  return protocol === "windows" ? 0 : Math.floor(length / 2);
}

/**
 * Refuses windows of which nothing would be scored: the last token of each predicts nothing.
 * @throws UsageError
 */
export function expectScored({ window, protocol, maxWindows }: EvaluationWindowOptions): void {
  expectWindow(window, 2);
  if (firstScored(window, protocol) >= window - 1) {
    throw new UsageError(
      `a window of ${window} tokens has no prediction in its second half: expected at least 3`,
      { hint: "use a longer `window`, or `protocol: windows`", field: "window", value: window },
    );
  }
  if (maxWindows === undefined || (Number.isInteger(maxWindows) && maxWindows >= 1)) return;
  throw new UsageError(`expected at least 1 window to score, got ${maxWindows}`, {
    field: "maxWindows",
    value: maxWindows,
  });
}

/** Refuses a window length that is no whole number of at least `smallest`. @throws UsageError */
export function expectWindow(length: number, smallest: number): void {
  if (Number.isSafeInteger(length) && length >= smallest) return;
  throw new UsageError(`expected a window of at least ${smallest} tokens, got ${length}`, {
    field: "window",
    value: length,
  });
}

/**
 * Refuses windows that are longer than what the model takes: it was never trained on positions
 * beyond.
 * @param field the field that the length stands in, such as `calibration.window`
 * @param orElse another way out than shorter windows, for the hint
 * @throws UsageError
 */
export function expectWithinContext(
  window: number,
  contextLength: number,
  field: string,
  orElse = "",
): void {
  if (window <= contextLength) return;
  const kind = field.startsWith("calibration.") ? "calibration windows" : "windows";
  throw new UsageError(
    `${kind} of ${window} tokens are longer than the model's context of ${contextLength}`,
    { hint: `use \`window: ${contextLength}\` or less${orElse}`, field, value: window },
  );
}
