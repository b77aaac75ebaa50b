/** A text as a plan sees it. */
export interface Demand {
  /** Tokens that are still to be computed, at least one. */
  readonly pending: number;
  /** Most of them in one pass. */
  readonly longestChunk: number;
}

/** How many tokens a pass may have. */
export interface StepLimits {
  readonly stepTokens: number;
  /** Of prompts, while other texts are decoded. */
  readonly prefillBeside: number;
}

/**
 * Says how many pending tokens of each text the next pass reads, in the order of the demands. Texts
 * with one pending token, which are decoded, are all in it. What is left goes to the others in equal
 * parts, what one does not need to the rest: a short prompt does not wait for a long one, and those
 * that are decoded wait for a few tokens of prompts at most.
 */
export function planStep(demands: readonly Demand[], limits: StepLimits): number[] {
  const counts = demands.map(({ pending }): number => (pending === 1 ? 1 : 0));
  const decoding = counts.filter((count) => count > 0).length;
  const most = Math.max(1, limits.stepTokens - decoding);
  let left = decoding > 0 ? Math.min(most, limits.prefillBeside) : most;
  const order = [...demands.keys()]
    .filter((i) => demands[i].pending > 1)
    .sort((a, b) => wishOf(demands[a]) - wishOf(demands[b]) || a - b);
  for (const [rank, i] of order.entries()) {
    const share = Math.max(1, Math.floor(left / (order.length - rank)));
    counts[i] = Math.min(wishOf(demands[i]), share, left);
    left -= counts[i];
  }
  return counts;
}

function wishOf({ pending, longestChunk }: Demand): number {
  return Math.min(pending, longestChunk);
}
