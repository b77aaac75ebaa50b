import type { Products } from "../backend/packed-operand.ts";
import type { NextToken, WindowPlan } from "../calibration/window-plan.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import { nextTurn } from "../platform/node.ts";
import { tidy } from "../tensor/tensor.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import type { LanguageModel } from "./language-model.ts";
import { sampleToken } from "./sampling.ts";

/** Given tokens of all windows that are read together; only memory and time depend on it. */
const rowsPerPass = 2048;

/** How windows are written. */
export interface WriteWindowsOptions {
  /** Of what is drawn; default 1. */
  readonly temperature?: number;
  /** How packed weights multiply; default `exact`. */
  readonly products?: Products;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes windows of at most `length` token ids side by side, all of them a token further with each
 * pass: as their plans say, given, the most likely or drawn. Ends of texts are tokens like others.
 * What does not matter is the token before it again; where it matters in no window, all end.
 * @throws UsageError when a plan does not begin with a token, or the windows exceed the context
 * @throws CancelledError when `signal` is aborted
 */
export async function writeWindows(
  model: LanguageModel,
  plans: readonly WindowPlan[],
  length: number,
  { temperature = 1, products = "exact", signal }: WriteWindowsOptions = {},
): Promise<Int32Array[]> {
  const draws = plans.map(({ seed }) => new Prng(seed));
  const windows = plans.map((): number[] => []);
  const cache = model.newCache(length, plans.length);
  try {
    for (let at = 0; at < length; at++) {
      await nextTurn();
      throwIfCancelled(signal);
      const wanted = plans.map(({ next }, row) => next(windows[row]));
      if (wanted.every((next) => next === null)) break;
      const isGiven = wanted.every((next) => typeof next !== "string");
      const unread = (at - cache.length) * windows.length;
      const canWait = isGiven && unread < rowsPerPass;
      const logits = canWait ? [] : await readOn(model, windows, cache, products);
      for (const [row, window] of windows.entries()) {
        const next = wanted[row] ?? window[window.length - 1];
        window.push(take(next, logits[row], temperature, draws[row]));
      }
    }
  } finally {
    cache.release();
  }
  return windows.map((ids) => Int32Array.from(ids));
}

/**
 * Runs the tokens of each window that are not in the cache yet, and makes the logits behind the
 * last. Tokens that are given wait for each other, and are read together.
 */
async function readOn(
  model: LanguageModel,
  windows: readonly number[][],
  cache: KvCache,
  products: Products,
): Promise<readonly Float32Array[]> {
  const more = windows.map((ids) => ids.slice(cache.length));
  const count = more[0]?.length ?? 0;
  if (count === 0) {
    throw new UsageError("the first token of a window must be given: there is nothing before it", {
      hint: "the model has no token that begins a text; give calibration text instead",
    });
  }
  const { hiddenSize, vocabularySize: width } = model.config;
  const pieces = tidy(() => {
    const hidden = model.hiddenStates(model.tokens(more), { cache, products });
    const rows = hidden.reshape([windows.length * count, hiddenSize]);
    if (count === 1) return [model.logits(rows, products)];
    const last = more.map((_, row) => rows.slice((row + 1) * count - 1, (row + 1) * count));
    return last.map((row) => model.logits(row, products));
  });
  const logits: Float32Array[] = [];
  for (const piece of pieces) {
    const values = await piece.read();
    for (let at = 0; at < values.length; at += width) logits.push(values.subarray(at, at + width));
    piece.release();
  }
  return logits;
}

function take(
  next: NextToken,
  logits: Float32Array | undefined,
  temperature: number,
  prng: Prng,
): number {
  if (typeof next === "number") return next;
  const options = { temperature: next === "drawn" ? temperature : 0 };
  return sampleToken(logits as Float32Array, options, [], prng);
}
