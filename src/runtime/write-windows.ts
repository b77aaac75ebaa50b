import type { NextToken, WindowPlan } from "../calibration/window-plan.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import { nextTurn } from "../platform/node.ts";
import { type Tensor, tidy } from "../tensor/tensor.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import type { LanguageModel } from "./language-model.ts";
import { sampleToken } from "./sampling.ts";

/**
 * Writes windows `[length]` of token ids side by side, all of them a token further with each pass:
 * as their plans say, given, the most likely or drawn at temperature 1. Ends of texts are tokens
 * like others.
 * @throws UsageError when a plan does not begin with a token, or the windows exceed the context
 * @throws CancelledError when `signal` is aborted
 */
export async function writeWindows(
  model: LanguageModel,
  plans: readonly WindowPlan[],
  length: number,
  signal?: AbortSignal,
): Promise<Int32Array[]> {
  const draws = plans.map(({ seed }) => new Prng(seed));
  const windows = plans.map((): number[] => []);
  const cache = model.newCache(length, plans.length);
  let hidden: Tensor<"f32"> | null = null;
  try {
    for (let at = 0; at < length; at++) {
      await nextTurn();
      throwIfCancelled(signal);
      const wanted = plans.map(({ next }, row) => next(windows[row]));
      const logits = await logitsFor(model, hidden, wanted);
      for (const [row, window] of windows.entries()) {
        window.push(take(wanted[row], logits[row], draws[row]));
      }
      hidden?.release();
      hidden = at + 1 < length ? read(model, windows, cache) : null;
    }
  } finally {
    hidden?.release();
    cache.release();
  }
  return windows.map((ids) => Int32Array.from(ids));
}

/** Runs the last token of each window behind those in the cache: `[rows, hiddenSize]`. */
function read(model: LanguageModel, windows: readonly number[][], cache: KvCache): Tensor<"f32"> {
  const { hiddenSize } = model.config;
  const last = model.tokens(windows.map((ids) => ids.slice(-1)));
  return tidy(() => model.hiddenStates(last, { cache }).reshape([windows.length, hiddenSize]));
}

/** Logits of each row that needs some. */
async function logitsFor(
  model: LanguageModel,
  hidden: Tensor<"f32"> | null,
  wanted: readonly NextToken[],
): Promise<readonly (Float32Array | null)[]> {
  if (wanted.every((next) => typeof next === "number")) return wanted.map(() => null);
  if (!hidden) {
    throw new UsageError("the first token of a window must be given: there is nothing before it", {
      hint: "the model has no token that begins a text; give calibration text instead",
    });
  }
  const logits = model.logits(hidden);
  const values = await logits.read();
  logits.release();
  const { vocabularySize: width } = model.config;
  return wanted.map((_, row) => values.subarray(row * width, (row + 1) * width));
}

function take(next: NextToken, logits: Float32Array | null, prng: Prng): number {
  if (typeof next === "number") return next;
  return sampleToken(logits as Float32Array, { temperature: next === "drawn" ? 1 : 0 }, [], prng);
}
