import { describe, expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import { blockLength, bootstrapMeans, bootstrapShares } from "./bootstrap.ts";
import { percentileInterval, quantile, subtractDraws, twoSidedP } from "./draws.ts";
import { halfWidth } from "./interval.ts";
import { meanOf } from "../../util/sums.ts";

/** Draws a series with mean 0 and variance 1 whose neighbours are correlated by `correlation`. */
function drawSeries(random: Prng, length: number, correlation = 0): number[] {
  let value = random.normal();
  return Array.from({ length }, () => {
    const now = value;
    value = correlation * value + Math.sqrt(1 - correlation ** 2) * random.normal();
    return now;
  });
}

/** Share of seeded repetitions in which the interval of the mean holds the true mean 0. */
function coverage(length: number, correlation: number, block: number): number {
  const random = new Prng(11);
  let held = 0;
  const repetitions = 250;
  for (let i = 0; i < repetitions; i++) {
    const series = drawSeries(random, length, correlation);
    const { low, high } = percentileInterval(
      bootstrapMeans([series], { draws: 400, seed: i, block })[0] ?? new Float64Array(),
    );
    if (low <= 0 && high >= 0) held++;
  }
  return held / repetitions;
}

describe("bootstrapMeans", () => {
  it.each([6, 24, 80])("holds the true mean of %d independent units about 95 times of 100", (n) => {
    expect(coverage(n, 0, 1)).toBeGreaterThan(0.91);
    expect(coverage(n, 0, 1)).toBeLessThan(0.985);
  });

  it("comes near 95 of 100 for dependent neighbours only when they are drawn together", () => {
    expect(coverage(64, 0.4, 1)).toBeLessThan(0.82);
    expect(coverage(64, 0.4, blockLength(64))).toBeGreaterThan(0.87);
  });

  it("has the spread of the mean: sd / √n, stretched to Student's quantile", () => {
    const series = drawSeries(new Prng(5), 100);
    const mean = meanOf(series);
    const squares = series.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const standardError = Math.sqrt(squares / 99 / 100);
    const [draws = new Float64Array()] = bootstrapMeans([series]);
    expect(meanOf(draws)).toBeCloseTo(mean, 2);
    expect(halfWidth(percentileInterval(draws)) / (1.9842 * standardError)).toBeCloseTo(1, 1);
  });

  it("draws the same units for all series, so that a constant difference has no spread", () => {
    const series = drawSeries(new Prng(5), 30);
    const shifted = series.map((value) => value + 0.25);
    const [a, b] = bootstrapMeans([shifted, series], { block: 3 });
    const { low, high } = percentileInterval(subtractDraws(a as Float64Array, b as Float64Array));
    expect(low).toBeCloseTo(0.25, 12);
    expect(high).toBeCloseTo(0.25, 12);
  });

  it("gives the same draws for the same seed, and others for another", () => {
    const series = drawSeries(new Prng(5), 30);
    const draw = (seed: number): number[] => [
      ...(bootstrapMeans([series], { seed, draws: 20 })[0] ?? []),
    ];
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });

  it("refuses series of different lengths, and less than two units", () => {
    expect(() =>
      bootstrapMeans([
        [1, 2, 3],
        [1, 2],
      ]),
    ).toThrow(/expected 3, got 2/);
    expect(() => bootstrapMeans([[1]])).toThrow(/at least 2 units, got 1/);
    expect(() => bootstrapMeans([])).toThrow(/at least 2 units, got 0/);
  });
});

describe("bootstrapShares", () => {
  it("leaves a width where two models answer all items alike: two imaginary items of n", () => {
    const right = Array.from({ length: 100 }, (_, i) => i % 2);
    const [a, b] = bootstrapShares([right, right]);
    const width = halfWidth(
      percentileInterval(subtractDraws(a as Float64Array, b as Float64Array)),
    );
    expect(width).toBeGreaterThan(0.01);
    expect(width).toBeLessThan(0.04);
  });
});

describe("blockLength", () => {
  it.each([
    [2, 1],
    [7, 1],
    [8, 2],
    [27, 3],
    [64, 4],
    [125, 5],
  ])("of %d windows is %d", (windows, block) => {
    expect(blockLength(windows)).toBe(block);
  });
});

describe("quantile", () => {
  it("interpolates between neighbours, and takes an end that is infinite as it is", () => {
    expect(quantile([1, 2, 4, 8], 0.5)).toBe(3);
    expect(quantile([1, 2, Number.POSITIVE_INFINITY], 0.5)).toBe(2);
    expect(quantile([1, 2, Number.POSITIVE_INFINITY], 1)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("twoSidedP", () => {
  it("is the normal p value where no draw reaches 0, and the draws' share where some do", () => {
    const random = new Prng(2);
    const around = (mean: number): Float64Array =>
      Float64Array.from({ length: 20_000 }, () => mean + random.normal());
    expect(twoSidedP(around(0))).toBeGreaterThan(0.9);
    expect(twoSidedP(around(1.96))).toBeCloseTo(0.05, 2);
    expect(twoSidedP(around(4.5)) / 6.8e-6).toBeGreaterThan(0.5);
    expect(twoSidedP(around(4.5)) / 6.8e-6).toBeLessThan(2);
    expect(twoSidedP(around(20))).toBe(1e-6);
  });
});
