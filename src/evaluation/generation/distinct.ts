import { gramsOf } from "./repetition.ts";

/** How many n-grams are drawn: fewer tell little, and more are not in a few short texts. */
const drawn = 256;

/**
 * Returns the share of different n-grams that is expected among 256 drawn without replacement from
 * those of all texts: distinct-n (Li et al., arXiv 1510.03055), with the number of n-grams made
 * equal by rarefaction (Hurlbert 1971), since a longer text has relatively fewer different ones.
 * Null where the texts have fewer.
 */
export function distinctShare(texts: readonly (readonly number[])[], n: number): number | null {
  const counts = new Map<string, number>();
  let all = 0;
  for (const key of texts.flatMap((ids) => gramsOf(ids, n))) {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    all++;
  }
  if (all < drawn) return null;
  let expected = 0;
  for (const count of counts.values()) expected += 1 - missedBy(all, count);
  return expected / drawn;
}

/** Probability that none of `count` among `all` n-grams is drawn. */
function missedBy(all: number, count: number): number {
  let probability = 1;
  for (let i = 0; i < count; i++) probability *= Math.max(0, all - drawn - i) / (all - i);
  return probability;
}
