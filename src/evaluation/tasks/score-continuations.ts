import type { Products } from "../../backend/packed-operand.ts";
import type { EvaluationWindow } from "../../calibration/windows.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { NumericError } from "../../util/errors.ts";
import { scoreWindows } from "../score-windows.ts";
import { type Continuation, encodeContinuation } from "./encode-continuation.ts";

/** How continuations are scored. */
export interface ScoreContinuationsOptions {
  readonly products: Products;
  /** Also find out which continuations greedy decoding gives. */
  readonly greedy?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called after each pass with the number of texts that it scored. */
  readonly onScored?: (count: number) => void;
}

/** What was found of continuations; one entry each, in their order. */
export interface ContinuationScores {
  /** Sum of the continuation's tokens' log-likelihoods, in nats. */
  readonly logLikelihoods: Float64Array;
  /** 1 where each token of the continuation is the likeliest at its place; null when not asked for. */
  readonly greedy: Uint8Array | null;
}

/**
 * Scores continuations: the sum of their tokens' log-likelihoods given their contexts. Equal texts are scored
 * once; texts of equal length go through the model together, so no padding is needed.
 * @throws UsageError when a continuation alone is longer than the model's context
 * @throws NumericError when the model's logits are not numbers
 */
export async function scoreContinuations(
  model: LanguageModel,
  continuations: readonly Continuation[],
  { products, greedy = false, signal, onScored }: ScoreContinuationsOptions,
): Promise<ContinuationScores> {
  const logLikelihoods = new Float64Array(continuations.length);
  const hits = greedy ? new Uint8Array(continuations.length) : null;
  for (const texts of byLength(model, continuations)) {
    let next = 0;
    await scoreWindows(
      model,
      texts.map(({ window }) => window),
      {
        products,
        greedy,
        signal,
        onScores(passed) {
          let count = 0;
          for (const { losses, greedy: hit } of passed) {
            const { places } = texts[next++];
            const sum = -total(losses);
            for (const place of places) {
              logLikelihoods[place] = sum;
              if (hits) hits[place] = Number(hit);
            }
            count += places.length;
          }
          onScored?.(count);
        },
      },
    );
  }
  return { logLikelihoods, greedy: hits };
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
    const window = encodeContinuation(tokenizer, continuation, config.contextLength);
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
