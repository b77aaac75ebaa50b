/** Tokens of the n-grams whose repetition is counted. */
const gram = 4;
/** A shorter end is no loop: `no, no, no` is said, and digits repeat. */
const shortestLoop = 12;
/** How often a loop has gone round at least. */
const leastRounds = 3;

/**
 * Returns the share of a text's 4-grams that occurred earlier in it, 0 to 1: one less the share of
 * different ones. 0 where the text is too short to have any.
 */
export function repetitionRate(ids: readonly number[]): number {
  const grams = gramsOf(ids, gram);
  return grams.length === 0 ? 0 : 1 - new Set(grams).size / grams.length;
}

/**
 * Returns the shortest period in tokens that the end of a text repeats at least three times over at
 * least 12 tokens; the last round may be incomplete. Null where the text ends in no loop.
 */
export function loopPeriod(ids: readonly number[]): number | null {
  for (let period = 1; period * leastRounds <= ids.length; period++) {
    let first = ids.length - period;
    while (first > 0 && ids[first - 1] === ids[first - 1 + period]) first--;
    if (ids.length - first >= Math.max(leastRounds * period, shortestLoop)) return period;
  }
  return null;
}

/** Lists the n-grams of a text, as texts that are equal where they are. */
export function gramsOf(ids: readonly number[], n: number): string[] {
  const count = Math.max(0, ids.length - n + 1);
  return Array.from({ length: count }, (_, start) => ids.slice(start, start + n).join(" "));
}
