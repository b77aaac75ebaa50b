import { UsageError } from "../util/errors.ts";
import type { Prng } from "../util/prng.ts";
import { sum } from "../util/sums.ts";
import { TokenBuckets } from "./token-buckets.ts";
import { byLikelihood, expOfMinus, mostLikely, notNumbers } from "./token-weights.ts";

/** How the next token is chosen from logits. What is left out is switched off. */
export interface SamplingOptions {
  /** Divides the logits; 0 (the default) takes the most likely token. */
  readonly temperature?: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK?: number;
  /** Keep the smallest set of most likely tokens whose probabilities sum to p, in (0, 1]. */
  readonly topP?: number;
  /** Keep tokens at least this share as likely as the most likely one, in [0, 1]. */
  readonly minP?: number;
  /** Divides positive and multiplies negative logits of tokens already seen; 1 changes nothing. */
  readonly repetitionPenalty?: number;
}

/** Tokens that may be drawn, the most likely first; probabilities sum to 1. */
export interface Distribution {
  readonly ids: Int32Array;
  readonly probabilities: Float64Array;
}

/** @throws UsageError for a number outside its range */
export function checkSampling(options: SamplingOptions): void {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = options;
  expectRange("temperature", temperature, temperature >= 0, "0 or more");
  expectRange("top-k", topK, Number.isInteger(topK) && topK >= 0, "a whole number, 0 or more");
  expectRange("top-p", topP, topP > 0 && topP <= 1, "above 0 and at most 1");
  expectRange("min-p", minP, minP >= 0 && minP <= 1, "between 0 and 1");
  expectRange("repetition penalty", repetitionPenalty, repetitionPenalty > 0, "above 0");
}

function expectRange(name: string, value: number, fits: boolean, range: string): void {
  if (!fits || !Number.isFinite(value)) {
    throw new UsageError(`${name} must be ${range}, got ${value}`);
  }
}

/**
 * Chooses the next token. The order is that of Hugging Face transformers: repetition penalty,
 * temperature, top-k, top-p (over what top-k left), min-p. (llama.cpp applies the temperature last
 * instead.) `seen` holds the tokens that the penalty applies to, the prompt's included. `logits`
 * are not changed.
 * @throws NumericError when a logit is NaN or all are −∞
 */
export function sampleToken(
  logits: Float32Array,
  options: SamplingOptions,
  seen: Iterable<number>,
  prng: Prng,
): number {
  const penalised = penalizeRepetition(logits, seen, options.repetitionPenalty ?? 1);
  const { temperature = 0, topK = 0, topP = 1, minP = 0 } = options;
  if (temperature === 0) return mostLikely(penalised);
  if (truncates(topK, logits)) return draw(nextTokenDistribution(penalised, options), prng);
  return new TokenBuckets(penalised, temperature, topP, minP).draw(prng);
}

/**
 * Applies temperature, top-k, top-p and min-p, in this order.
 * @throws NumericError when a logit is NaN or all are −∞
 */
export function nextTokenDistribution(
  logits: Float32Array,
  options: SamplingOptions,
): Distribution {
  const { temperature = 1, topK = 0, topP = 1, minP = 0 } = options;
  if (truncates(topK, logits)) return distributionOfTop(logits, topK, options);
  const buckets = new TokenBuckets(logits, temperature, topP, minP);
  const ids = buckets.keptIds();
  return normalized(
    ids,
    Float64Array.from(ids, (id) => buckets.weightOf(id)),
  );
}

function truncates(topK: number, logits: Float32Array): boolean {
  return topK > 0 && topK < logits.length;
}

/** The distribution over the k most likely tokens, cut by top-p and min-p. */
function distributionOfTop(
  logits: Float32Array,
  topK: number,
  { temperature = 1, topP = 1, minP = 0 }: SamplingOptions,
): Distribution {
  const max = logits[mostLikely(logits)];
  if (!Number.isFinite(max)) throw notNumbers(logits);
  const ids = largest(logits, topK);
  const weights = Float64Array.from(ids, (id) => expOfMinus((max - logits[id]) / temperature));
  let kept = topP < 1 ? nucleusSize(weights, topP * sum(weights)) : ids.length;
  while (weights[kept - 1] < minP || weights[kept - 1] === 0) kept--;
  return normalized(ids.subarray(0, kept), weights.subarray(0, kept));
}

function normalized(ids: Int32Array, weights: Float64Array): Distribution {
  const total = sum(weights);
  return { ids, probabilities: weights.map((weight) => weight / total) };
}

/**
 * Makes tokens that were seen less likely. A penalty above 1 divides their positive logits and
 * multiplies their negative ones. Paper: CTRL, arXiv 1909.05858. Returns `logits` itself at 1.
 */
export function penalizeRepetition(
  logits: Float32Array,
  seen: Iterable<number>,
  penalty: number,
): Float32Array {
  if (penalty === 1) return logits;
  const out = logits.slice();
  for (const id of new Set(seen)) out[id] = out[id] < 0 ? out[id] * penalty : out[id] / penalty;
  return out;
}

/** Draws a token. */
export function draw({ ids, probabilities }: Distribution, prng: Prng): number {
  let left = prng.uniform();
  for (let i = 0; i < ids.length - 1; i++) {
    left -= probabilities[i];
    if (left < 0) return ids[i];
  }
  return ids[ids.length - 1];
}

/** The k most likely ids, the most likely first. */
function largest(logits: Float32Array, k: number): Int32Array {
  const heap = new Int32Array(k);
  const lighter = (a: number, b: number) =>
    logits[a] < logits[b] || (logits[a] === logits[b] && a > b);
  const sink = (start: number): void => {
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) return;
      if (child + 1 < k && lighter(heap[child + 1], heap[child])) child++;
      if (!lighter(heap[child], heap[at])) return;
      [heap[at], heap[child]] = [heap[child], heap[at]];
      at = child;
    }
  };
  for (let id = 0; id < k; id++) heap[id] = id;
  for (let at = k >> 1; at >= 0; at--) sink(at);
  let least = logits[heap[0]];
  for (let id = k; id < logits.length; id++) {
    // Of equal logits the earlier ids are in already.
    if (logits[id] <= least) continue;
    heap[0] = id;
    sink(0);
    least = logits[heap[0]];
  }
  return heap.sort(byLikelihood(logits));
}

/** Number of the first weights that together reach `target`. */
function nucleusSize(weights: Float64Array, target: number): number {
  let reached = 0;
  for (let i = 0; i < weights.length; i++) {
    reached += weights[i];
    if (reached >= target) return i + 1;
  }
  return weights.length;
}
