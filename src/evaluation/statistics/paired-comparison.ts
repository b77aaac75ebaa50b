import { type BootstrapOptions, bootstrapMeans, bootstrapShares, type Draws } from "./bootstrap.ts";
import { percentileInterval, subtractDraws, twoSidedP } from "./draws.ts";
import { correctPValues } from "./holm.ts";
import { type Interval, usualLevel } from "./interval.ts";
import { meanOf } from "../../util/sums.ts";

/** Which of two is better, as far as the data say. */
export type Verdict = "a" | "b" | "undecided";

/** Whether a low figure is good, as with perplexity, or a high one, as with accuracy. */
export type Better = "lower" | "higher";

/** How far a figure of `a` is from that of `b`. */
export interface Difference {
  /** `a − b`. */
  readonly estimate: number;
  /** 95 % interval of `a − b`, for this question alone. */
  readonly interval: Interval;
  /** Two-sided p value of "there is no difference", corrected for questions asked at once. */
  readonly pValue: number;
  readonly verdict: Verdict;
}

/**
 * Compares two series that were measured on the same units by the paired bootstrap of the mean
 * difference. "Better" is said when the p value is below 0.05.
 * @throws ShapeError when the lengths differ or there are less than two units
 */
export function comparePaired(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { better, ...options }: BootstrapOptions & { readonly better: Better },
): Difference {
  const [drawsA, drawsB] = bootstrapMeans([a, b], options) as [Draws, Draws];
  return differenceOf(meanOf(a) - meanOf(b), subtractDraws(drawsA, drawsB), better);
}

/**
 * Compares the right answers of two models to the same items, as `comparePaired` does.
 * @param a 1 where the model's answer is right and 0 where not; `b` the same in the same order
 */
export function compareRight(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: Omit<BootstrapOptions, "block"> = {},
): Difference {
  const [drawsA, drawsB] = bootstrapShares([a, b], options) as [Draws, Draws];
  return differenceOf(meanOf(a) - meanOf(b), subtractDraws(drawsA, drawsB), "higher");
}

/** Makes a difference from its estimate and its draws. */
export function differenceOf(estimate: number, draws: Draws, better: Better): Difference {
  const pValue = estimate === 0 ? 1 : twoSidedP(draws);
  return {
    estimate,
    interval: percentileInterval(draws),
    pValue,
    verdict: decide(estimate, pValue, better),
  };
}

/** Takes the differences as one family: p values become Holm's, and verdicts follow. */
export function correctDifferences(
  differences: readonly Difference[],
  better: readonly Better[] | Better,
): Difference[] {
  const corrected = correctPValues(differences.map(({ pValue }) => pValue));
  return differences.map((difference, index) => {
    const direction = typeof better === "string" ? better : (better[index] ?? "lower");
    const pValue = corrected[index] ?? 1;
    return { ...difference, pValue, verdict: decide(difference.estimate, pValue, direction) };
  });
}

function decide(estimate: number, pValue: number, better: Better): Verdict {
  if (!(pValue < 1 - usualLevel)) return "undecided";
  return estimate < 0 === (better === "lower") ? "a" : "b";
}
