import type { Verdict } from "./judge-case.ts";

/** How many cases came out how. */
export type Counts = Record<Verdict, number>;

const verdicts: readonly Verdict[] = ["accepted", "typed", "untyped", "slow", "large"];

/** In place of a seed: no case was begun. */
export const notBegun = -2;

/** Returns counts of nothing. */
export function noCounts(): Counts {
  return { accepted: 0, typed: 0, untyped: 0, slow: 0, large: 0 };
}

/** Adds counts to others, in place. */
export function addCounts(to: Counts, more: Counts): void {
  for (const verdict of verdicts) to[verdict] += more[verdict];
}

/** Writes which case runs (−1: none any more) and the counts before it. */
export function encodeProgress(seed: number, counts: Counts): Uint8Array {
  const values = Float64Array.of(seed, ...verdicts.map((verdict) => counts[verdict]));
  return new Uint8Array(values.buffer);
}

/** Reads what `encodeProgress` wrote. */
export function decodeProgress(bytes: Uint8Array): { seed: number; counts: Counts } {
  const values = new Float64Array(verdicts.length + 1);
  new Uint8Array(values.buffer).set(bytes.subarray(0, values.byteLength));
  const counts = noCounts();
  for (const [i, verdict] of verdicts.entries()) counts[verdict] = values[i + 1];
  return { seed: values[0], counts };
}
