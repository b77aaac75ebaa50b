import { describe, expect, test } from "vitest";
import { heldValues } from "./held-values.ts";

const high = { scale: "logarithmic", worse: "high" } as const;
const low = { scale: "linear", worse: "low" } as const;

function extent(values: readonly number[], options: Parameters<typeof heldValues>[1]): number[] {
  const held = heldValues(
    values.map((value) => ({ value, interval: null })),
    options,
  );
  return [Math.min(...held), Math.max(...held)].map((value) => Number(value.toPrecision(9)));
}

describe("an axis", () => {
  const bulk = [2.71, 2.75, 2.8, 2.86, 2.9, 2.95, 3.02, 3.1];

  test.each([[258], [1e7], [1e300], [Number.POSITIVE_INFINITY], [Number.NaN]])(
    "leaves out %d, which would make a line of the others",
    (outlier) => expect(extent([...bulk, outlier], high)).toEqual([2.71, 3.1]),
  );

  test("leaves out outliers of outliers too, but no more than a quarter", () => {
    expect(extent([...bulk, 258, 1e7], high)).toEqual([2.71, 3.1]);
    expect(extent([...bulk, 258, 300, 350, 400, 1e7], high)).toEqual([2.71, 400]);
  });

  test("holds what is spread evenly, and one that is a little apart", () => {
    expect(extent([3, 10, 30, 100, 300, 1000], high)).toEqual([3, 1000]);
    expect(extent([...bulk, 3.6], high)).toEqual([2.71, 3.6]);
  });

  test("holds the better end, however far that is", () => {
    expect(extent([2.7, 900, 950, 1000, 1050, 1100], high)).toEqual([2.7, 1100]);
    expect(extent([0.3, 0.8, 0.82, 0.84, 0.85, 0.86], low)).toEqual([0.8, 0.86]);
    expect(extent([0.3, 0.8, 0.82, 0.84, 0.85, 0.86], { ...low, worse: "high" })).toEqual([
      0.3, 0.86,
    ]);
  });

  test("leaves nothing out of two, nor where all but tiny differences are the same", () => {
    expect(extent([2, 1e7], high)).toEqual([2, 1e7]);
    expect(extent([5, 5, 5, 5, 5.1], high)).toEqual([5, 5.1]);
    expect(extent([5, 5, 5, 5, 50], high)).toEqual([5, 5]);
  });

  test("holds intervals, but of few that are far wider only a part", () => {
    const around = (value: number, half: number) => ({
      value,
      interval: { low: value - half, high: value + half, level: 0.95 },
    });
    const usual = { scale: "linear", worse: "high" } as const;
    const narrow = [10, 11, 12, 13].map((value) => around(value, 0.5));
    const all = heldValues(narrow, usual);
    expect([Math.min(...all), Math.max(...all)]).toEqual([9.5, 13.5]);
    const some = heldValues([...narrow, around(12, 900)], usual);
    expect(Math.min(...some)).toBeGreaterThan(0);
    expect(Math.max(...some)).toBeLessThan(30);
    const noise = heldValues(
      [10, 11, 12, 13].map((value) => around(value, 500)),
      usual,
    );
    expect([Math.min(...noise), Math.max(...noise)]).toEqual([-490, 513]);
  });

  test("on a logarithmic scale numbers below zero are not held", () => {
    expect(extent([0, -1, 2, 3], high)).toEqual([2, 3]);
    expect(heldValues([{ value: 0, interval: null }], high)).toEqual([]);
  });
});
