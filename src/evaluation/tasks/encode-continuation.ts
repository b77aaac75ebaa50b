import type { EvaluationWindow } from "../../calibration/windows.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { UsageError } from "../../util/errors.ts";

/** A text and what may follow it. */
export interface Continuation {
  readonly context: string;
  readonly continuation: string;
}

/**
 * Encodes a context with its continuation as one text; the tokens behind those of the context alone are
 * the continuation's. Spaces at the end of the context belong to the continuation. The model's start
 * token comes first; a text that is too long loses tokens at its front.
 * @throws UsageError when the continuation alone is longer than the model's context
 */
export function encodeContinuation(
  tokenizer: Tokenizer,
  { context, continuation }: Continuation,
  contextLength: number,
): EvaluationWindow {
  const stem = context.trimEnd();
  const whole = tokenizer.encode(context + continuation);
  const before = Math.min(tokenizer.encode(stem).length, whole.length - 1);
  const { startIds } = tokenizer;
  const all = Int32Array.of(...startIds, ...whole);
  const longest = contextLength + 1;
  const cut = Math.max(0, all.length - longest);
  const first = startIds.length + before - cut;
  if (first < 1) {
    throw new UsageError(
      `"${continuation.trim().slice(0, 40)}…" has ${whole.length - before} tokens, and nothing may ` +
        `stand before it: the model's context is ${contextLength}`,
      { hint: "score it with a model of a longer context, or give it a context" },
    );
  }
  return { ids: all.slice(cut), from: first - 1, to: all.length - cut - 1 };
}
