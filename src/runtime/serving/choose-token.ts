import { UsageError } from "../../util/errors.ts";
import type { Prng } from "../../util/prng.ts";
import { checkSampling, penalizeRepetition, sampleToken } from "../sampling.ts";
import type { RequestSampling, TokenConstraint, TokenLogprobs } from "./engine-request.ts";

/** Tokens of a text so far, and how often each of those that were generated came. */
export interface SeenTokens {
  readonly all: ReadonlySet<number>;
  readonly generated: ReadonlyMap<number, number>;
}

/** @throws UsageError for a number outside its range */
export function checkRequestSampling(sampling: RequestSampling, vocabularySize: number): void {
  checkSampling(sampling);
  const { frequencyPenalty = 0, presencePenalty = 0, logitBias = new Map() } = sampling;
  for (const [name, value] of Object.entries({ frequencyPenalty, presencePenalty })) {
    if (Number.isFinite(value)) continue;
    throw new UsageError(`\`${name}\` must be a finite number, got ${value}`, { field: name });
  }
  for (const [token, bias] of logitBias) {
    if (Number.isInteger(token) && token >= 0 && token < vocabularySize && !Number.isNaN(bias))
      continue;
    throw new UsageError(
      `\`logitBias\` must give numbers to tokens below ${vocabularySize}, got ${bias} for ${token}`,
      { field: "logitBias" },
    );
  }
}

/**
 * Returns what tokens are chosen by: logits with biases added, penalties taken off, and −∞ for what
 * a constraint forbids. The order is that of the OpenAI interface, then that of `sampleToken`. The
 * array that comes in is not changed; it is returned where nothing is to be done.
 * @throws UsageError where a constraint forbids all tokens
 */
export function adjustLogits(
  logits: Float32Array,
  sampling: RequestSampling,
  seen: SeenTokens,
  constraint?: TokenConstraint,
): Float32Array {
  const { logitBias, frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1 } = sampling;
  const penalizes = (frequencyPenalty !== 0 || presencePenalty !== 0) && seen.generated.size > 0;
  const biases = logitBias !== undefined && logitBias.size > 0;
  const penalized = penalizeRepetition(logits, seen.all, repetitionPenalty);
  if (!biases && !penalizes && !constraint) return penalized;
  const out = penalized === logits ? logits.slice() : penalized;
  for (const [token, bias] of logitBias ?? []) out[token] += bias;
  if (penalizes) {
    for (const [token, count] of seen.generated) {
      out[token] -= count * frequencyPenalty + presencePenalty;
    }
  }
  if (constraint) forbid(out, constraint.mask());
  return out;
}

/** Sets logits whose bit is 0 to −∞. @throws UsageError where that would be all */
function forbid(logits: Float32Array, mask: Uint32Array | Int32Array): void {
  if (mask.every((word) => word === 0)) {
    throw new UsageError("what the text must be lets no token come next");
  }
  for (let token = 0; token < logits.length; token++) {
    if (((mask[token >> 5] >>> (token & 31)) & 1) === 0) logits[token] = -Infinity;
  }
}

/** Chooses the next token from adjusted logits. @throws NumericError when none can be */
export function chooseToken(adjusted: Float32Array, sampling: RequestSampling, prng: Prng): number {
  return sampleToken(adjusted, { ...sampling, repetitionPenalty: 1 }, [], prng);
}

/** How likely a token is by logits, and the `count` most likely ones. Float64. */
export function logprobsOf(logits: Float32Array, token: number, count: number): TokenLogprobs {
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - largest);
  const shift = largest + Math.log(total);
  const top = mostLikelyOf(logits, count);
  return {
    token,
    logprob: logits[token] - shift,
    top: top.map((id) => ({ token: id, logprob: logits[id] - shift })),
  };
}

/** The `count` most likely ids, the most likely first, equal ones by id. */
function mostLikelyOf(logits: Float32Array, count: number): number[] {
  const top: number[] = [];
  for (let id = 0; id < logits.length && count > 0; id++) {
    if (top.length === count && logits[id] <= logits[top[count - 1]]) continue;
    let at = Math.min(top.length, count - 1);
    while (at > 0 && logits[top[at - 1]] < logits[id]) at--;
    top.length = Math.min(top.length, count - 1);
    top.splice(at, 0, id);
  }
  return top;
}
