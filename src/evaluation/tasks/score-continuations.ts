import type { Products } from "../../backend/packed-operand.ts";
import type { EvaluationWindow } from "../../calibration/windows.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { NumericError, UsageError } from "../../util/errors.ts";
import { scoreWindows } from "../score-windows.ts";

/** A text and what may follow it. */
export interface Continuation {
  readonly context: string;
  readonly continuation: string;
}

/** How continuations are scored. */
export interface ScoreContinuationsOptions {
  readonly products: Products;
  readonly signal?: AbortSignal | undefined;
  /** Called after each pass with the number of texts that it scored. */
  readonly onScored?: (count: number) => void;
}

/**
 * Returns for each continuation the sum of its tokens' log-likelihoods, in nats. Equal texts are scored
 * once; texts of equal length go through the model together, so no padding is needed.
 * @throws UsageError when a continuation alone is longer than the model's context
 * @throws NumericError when the model's logits are not numbers
 */
export async function scoreContinuations(
  model: LanguageModel,
  continuations: readonly Continuation[],
  { products, signal, onScored }: ScoreContinuationsOptions,
): Promise<Float64Array> {
  const scores = new Float64Array(continuations.length);
  for (const texts of byLength(model, continuations)) {
    let next = 0;
    await scoreWindows(
      model,
      texts.map(({ window }) => window),
      {
        products,
        signal,
        onScores(passed) {
          let count = 0;
          for (const { losses } of passed) {
            const { places } = texts[next++];
            const sum = -total(losses);
            for (const place of places) scores[place] = sum;
            count += places.length;
          }
          onScored?.(count);
        },
      },
    );
  }
  return scores;
}

/** A text to score, and the places of its score in the result. */
interface Text {
  readonly window: EvaluationWindow;
  readonly places: number[];
}

/** Encodes continuations; each list holds different texts of one length. */
function byLength(
  { tokenizer, config }: LanguageModel,
  continuations: readonly Continuation[],
): Iterable<Text[]> {
  const known = new Map<string, Text>();
  const lists = new Map<number, Text[]>();
  for (const [place, continuation] of continuations.entries()) {
    const key = JSON.stringify([continuation.context, continuation.continuation]);
    const same = known.get(key);
    if (same) {
      same.places.push(place);
      continue;
    }
    const window = toWindow(tokenizer, continuation, config.contextLength);
    const text: Text = { window, places: [place] };
    known.set(key, text);
    const list = lists.get(window.ids.length);
    if (list) list.push(text);
    else lists.set(window.ids.length, [text]);
  }
  return lists.values();
}

function total(losses: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < losses.length; i++) sum += losses[i];
  if (!Number.isNaN(sum)) return sum;
  throw new NumericError("the model's logits are not numbers: its activations overflowed", {
    hint: "the checkpoint is damaged or its scales are wrong; make it again",
  });
}

/**
 * Encodes a context with its continuation as one text; the tokens behind those of the context alone are
 * the continuation's. Spaces at the end of the context belong to the continuation. The model's start
 * token comes first; a text that is too long loses tokens at its front.
 */
function toWindow(
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
