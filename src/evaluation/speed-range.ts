import type { Interval } from "./statistics/interval.ts";

const mostPieces = 8;

/**
 * Cuts a generation into up to eight pieces of as many tokens, and returns the speeds of the
 * slowest and the fastest one, in tokens a second. The range of `n` pieces has the median speed
 * inside with a probability of `1 − 2^(1 − n)`. Null with less than two pieces.
 * @param times when each token was there, in milliseconds, ascending
 */
export function speedRange(times: readonly number[]): Interval | null {
  const passes = times.length - 1;
  const pieces = Math.min(mostPieces, passes);
  if (pieces < 2) return null;
  const speeds = Array.from({ length: pieces }, (_, piece) => {
    const from = Math.floor((piece * passes) / pieces);
    const to = Math.floor(((piece + 1) * passes) / pieces);
    return (1000 * (to - from)) / ((times[to] ?? 0) - (times[from] ?? 0));
  }).filter(Number.isFinite);
  if (speeds.length < 2) return null;
  return {
    low: Math.min(...speeds),
    high: Math.max(...speeds),
    level: 1 - 2 ** (1 - speeds.length),
  };
}
