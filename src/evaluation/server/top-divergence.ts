import type { TopTokens } from "./score-prompt.ts";

/**
 * KL(original ‖ model) in nats as far as the likeliest tokens of both tell: tokens that both name
 * stand for themselves, and all others are one. Joining outcomes never makes a divergence larger, so
 * this is a lower bound of the true one, which it reaches as more tokens are named.
 */
export function topDivergence(original: TopTokens, model: TopTokens): number {
  let sum = 0;
  let originalRest = 1;
  let modelRest = 1;
  for (const [token, logP] of original) {
    const logQ = model.get(token);
    if (logQ === undefined) continue;
    const p = Math.exp(logP);
    sum += p * (logP - logQ);
    originalRest -= p;
    modelRest -= Math.exp(logQ);
  }
  // What is left of 1 after rounding may be a little less than nothing.
  const [p, q] = [Math.max(originalRest, 1e-9), Math.max(modelRest, 1e-9)];
  return Math.max(0, sum + p * Math.log(p / q));
}

/** The likeliest token; null for none. */
export function likeliestOf(tokens: TopTokens): string | null {
  let best: string | null = null;
  let most = Number.NEGATIVE_INFINITY;
  for (const [token, value] of tokens) {
    if (value <= most) continue;
    best = token;
    most = value;
  }
  return best;
}
