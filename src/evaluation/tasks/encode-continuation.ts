import type { EvaluationWindow } from "../../calibration/windows.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { UsageError } from "../../util/errors.ts";

/** What encoding needs of a tokenizer. */
type Encoder = Pick<Tokenizer, "startIds" | "bosId" | "eosIds" | "encode">;

/** A text and what may follow it. */
export interface Continuation {
  readonly context: string;
  readonly continuation: string;
}

/**
 * Encodes a context, and with its continuation as one text; the tokens of the whole behind as many
 * as the context has are the continuation's (the rule of lm-evaluation-harness). Spaces at the end
 * of the context belong to the continuation. The model's start tokens come first; where there is
 * neither such a token nor a context, the token that opens a text stands in, or else the one that
 * ends it. A text that is too long loses tokens at its front.
 * @throws UsageError when the continuation alone is longer than the model's context, or has no
 * tokens
 */
export function encodeContinuation(
  tokenizer: Encoder,
  texts: Continuation,
  contextLength: number,
): EvaluationWindow {
  const { front, scored } = divide(tokenizer, texts);
  const cut = Math.max(0, front.length + scored.length - (contextLength + 1));
  const first = front.length - cut;
  if (scored.length === 0) {
    throw new UsageError(`"${texts.continuation}" has no tokens that can be scored`);
  }
  if (first < 1) {
    throw new UsageError(
      `"${texts.continuation.trim().slice(0, 40)}…" has ${scored.length} tokens, too many to be ` +
        "scored: " +
        `the model's context is ${contextLength}`,
      { hint: "take a model of a longer context, or leave this item out" },
    );
  }
  const ids = new Int32Array(front.length + scored.length);
  ids.set(front);
  ids.set(scored, front.length);
  return { ids: ids.slice(cut), from: first - 1, to: ids.length - cut - 1 };
}

/** The tokens in front, and those that are scored. */
function divide(
  tokenizer: Encoder,
  { context, continuation }: Continuation,
): { front: ArrayLike<number>; scored: Int32Array } {
  const stem = tokenizer.encode(context.trimEnd());
  const whole = tokenizer.encode(context + continuation);
  // Both texts together may have no more tokens than the context alone: then the last one is
  // scored.
  const before = Math.max(0, Math.min(stem.length, whole.length - 1));
  const front = [...tokenizer.startIds, ...stem.subarray(0, before)];
  const scored = whole.subarray(before);
  if (front.length > 0) return { front, scored };
  const standIn = tokenizer.bosId ?? tokenizer.eosIds[0];
  if (standIn !== undefined && standIn !== scored[0]) return { front: [standIn], scored };
  return { front: scored.subarray(0, 1), scored: scored.subarray(1) };
}
