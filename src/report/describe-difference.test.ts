import { describe, expect, it } from "vitest";
import type { Difference } from "../evaluation/statistics/paired-comparison.ts";
import { describeDifference, describeRange, formatPlusMinus } from "./describe-difference.ts";

function difference(estimate: number, half: number): Difference {
  const interval = { low: estimate - half, high: estimate + half, level: 0.95 };
  return { estimate, interval, pValue: 0.01, verdict: "a" };
}

describe("describeDifference", () => {
  it("reports losses as the ratio of perplexities, accuracies in points, divergences in nats", () => {
    // exp(−0.0315) = 0.969; exp of the ends is 0.004 either side.
    expect(describeDifference("perplexity", difference(-0.0315, 0.004))).toBe("3.1 ± 0.4 % lower");
    expect(describeDifference("accuracy", difference(0.021, 0.008))).toBe(
      "2.1 ± 0.8 points higher",
    );
    expect(describeDifference("divergence", difference(-0.0412, 0.0031))).toBe(
      "0.041 ± 0.003 nats lower",
    );
  });
});

describe("describeRange", () => {
  it("gives both ends with their signs", () => {
    expect(describeRange("accuracy", difference(0.001, 0.004))).toBe(
      "between −0.3 points and +0.5 points",
    );
  });

  it("says that an interval without 0 holds for the question alone", () => {
    expect(describeRange("accuracy", difference(0.05, 0.04))).toBe(
      "between +1.0 points and +9.0 points, taken alone",
    );
  });
});

describe("formatPlusMinus", () => {
  it.each([
    [3.14159, 0.4, 1, "3.1 ± 0.4"],
    [3.14159, 0.4, 2, "3.14 ± 0.40"],
    [3.14159, 0.096, 1, "3.1 ± 0.1"],
    [48.27, 12.3, 1, "48 ± 12"],
    [3.14159, 0, 1, "3.14"],
    [Number.POSITIVE_INFINITY, 1, 1, "∞"],
  ])("of %d and %d with %d digits is %s", (value, half, digits, text) => {
    expect(formatPlusMinus(value, half, digits)).toBe(text);
  });
});
