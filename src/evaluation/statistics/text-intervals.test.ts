import { describe, expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import { perplexityInterval, tokenQuantileInterval, windowInterval } from "./text-intervals.ts";

describe("perplexityInterval", () => {
  it("is the exponential of the interval of the mean loss, and holds the perplexity", () => {
    const random = new Prng(1);
    const losses = Array.from({ length: 40 }, () => 2 + 0.3 * random.normal());
    const loss = windowInterval(losses);
    const interval = perplexityInterval(losses);
    expect(interval?.low).toBe(Math.exp(loss?.low ?? 0));
    expect(interval?.high).toBe(Math.exp(loss?.high ?? 0));
    const perplexity = Math.exp(losses.reduce((sum, x) => sum + x, 0) / 40);
    expect(interval?.low).toBeLessThan(perplexity);
    expect(interval?.high).toBeGreaterThan(perplexity);
  });

  it("does not exist for one window, nor where a loss is not finite", () => {
    expect(perplexityInterval([2])).toBeNull();
    expect(perplexityInterval([2, Number.POSITIVE_INFINITY])).toBeNull();
  });

  it("is wide for two windows, and a point for windows that are all alike", () => {
    const two = perplexityInterval([2, 2.1]);
    expect((two?.high ?? 0) - (two?.low ?? 0)).toBeGreaterThan(4);
    expect(perplexityInterval([2, 2, 2])?.low).toBeCloseTo(Math.exp(2), 12);
  });
});

describe("tokenQuantileInterval", () => {
  const windows = (count: number): Float32Array[] => {
    const random = new Prng(9);
    return Array.from({ length: count }, () =>
      Float32Array.from({ length: 64 }, () => -Math.log(1 - random.uniform())),
    );
  };

  it("holds the true quantile, and narrows with more windows", () => {
    const truth = -Math.log(0.01);
    const few = tokenQuantileInterval(windows(20), 0.99);
    const many = tokenQuantileInterval(windows(320), 0.99);
    for (const interval of [few, many]) {
      expect(interval?.low).toBeLessThan(truth);
      expect(interval?.high).toBeGreaterThan(truth);
    }
    const width = (interval: typeof few): number => (interval?.high ?? 0) - (interval?.low ?? 0);
    expect(width(many)).toBeLessThan(width(few) / 2);
  });

  it("is the quantile itself where all windows are alike", () => {
    const window = Float32Array.from({ length: 100 }, (_, i) => i + 1);
    const interval = tokenQuantileInterval([window, window, window], 0.99);
    expect(interval).toMatchObject({ low: 99, high: 99 });
  });

  it("does not exist for one window", () => {
    expect(tokenQuantileInterval(windows(1), 0.99)).toBeNull();
  });
});
