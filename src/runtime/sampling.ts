import { NumericError, UsageError } from "../util/errors.ts";
import type { Prng } from "../util/prng.ts";

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
 * Chooses the next token. The order is that of Hugging Face transformers: repetition penalty, temperature,
 * top-k, top-p (over what top-k left), min-p. (llama.cpp applies the temperature last instead.)
 * `seen` holds the tokens that the penalty applies to, the prompt's included. `logits` are not changed.
 * @throws NumericError when a logit is NaN or all are −∞
 */
export function sampleToken(
  logits: Float32Array,
  options: SamplingOptions,
  seen: Iterable<number>,
  prng: Prng,
): number {
  const penalised = penalizeRepetition(logits, seen, options.repetitionPenalty ?? 1);
  if (!options.temperature) return mostLikely(penalised);
  return draw(nextTokenDistribution(penalised, options), prng);
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
  const weights = exponentials(logits, temperature);
  const truncated = topK > 0 && topK < logits.length;
  let ids = truncated
    ? largest(weights, topK)
    : descending(weights, nucleusCandidates(weights, topP));
  const total = sum(truncated ? weightsOf(weights, ids) : weights);
  let kept = topP < 1 ? nucleusSize(weights, ids, topP * total) : ids.length;
  const floor = minP * weights[ids[0]];
  while (weights[ids[kept - 1]] < floor || weights[ids[kept - 1]] === 0) kept--;
  ids = ids.subarray(0, kept);
  const left = weightsOf(weights, ids);
  const leftTotal = sum(left);
  return { ids, probabilities: left.map((weight) => weight / leftTotal) };
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

/** Returns the index of the largest logit, the first of several. @throws NumericError on NaN */
export function mostLikely(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    if (Number.isNaN(logits[id])) throw notNumbers(logits);
    if (logits[id] > logits[best]) best = id;
  }
  return best;
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

/** `exp((logit − max) / temperature)`, in double precision. */
function exponentials(logits: Float32Array, temperature: number): Float64Array {
  const max = logits[mostLikely(logits)];
  if (!Number.isFinite(max)) throw notNumbers(logits);
  const weights = new Float64Array(logits.length);
  for (let i = 0; i < weights.length; i++) weights[i] = Math.exp((logits[i] - max) / temperature);
  return weights;
}

function notNumbers(logits: Float32Array): NumericError {
  const count = logits.filter((logit) => !Number.isFinite(logit)).length;
  return new NumericError(`${count} of ${logits.length} logits are NaN or infinite`, {
    hint: "the weights of this model are damaged, or its numbers overflow",
  });
}

/** The k heaviest ids, the heaviest first; equal ones by id. */
function largest(weights: Float64Array, k: number): Int32Array {
  const heap = new Int32Array(k);
  const lighter = (a: number, b: number) =>
    weights[a] < weights[b] || (weights[a] === weights[b] && a > b);
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
  for (let id = k; id < weights.length; id++) {
    if (!lighter(heap[0], id)) continue;
    heap[0] = id;
    sink(0);
  }
  return descending(weights, heap);
}

/**
 * Ids that can be in the nucleus. The rest weigh less than `(1 − topP) / n` of the total each, so
 * together less than what the nucleus leaves out: they need not be sorted.
 */
function nucleusCandidates(weights: Float64Array, topP: number): Int32Array {
  const floor = topP < 1 ? (sum(weights) * (1 - topP)) / weights.length : 0;
  let count = 0;
  const ids = new Int32Array(weights.length);
  for (let id = 0; id < weights.length; id++) if (weights[id] >= floor) ids[count++] = id;
  return ids.subarray(0, count);
}

/** Number of the heaviest ids that together reach `target`. */
function nucleusSize(weights: Float64Array, ids: Int32Array, target: number): number {
  let reached = 0;
  for (let i = 0; i < ids.length; i++) {
    reached += weights[ids[i]];
    if (reached >= target) return i + 1;
  }
  return ids.length;
}

function descending(weights: Float64Array, ids: Int32Array): Int32Array {
  return ids.slice().sort((a, b) => weights[b] - weights[a] || a - b);
}

function weightsOf(weights: Float64Array, ids: Int32Array): Float64Array {
  return Float64Array.from(ids, (id) => weights[id]);
}

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}
