import { describe, expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import { halfWidth } from "../statistics/interval.ts";
import { compareAtEqualSize, type SizedPoint, sizeOfEqualQuality } from "./crossover.ts";

const shared = Float64Array.from({ length: 1000 }, drawWith(new Prng(1), 0.3));

function drawWith(random: Prng, spread: number): () => number {
  return () => spread * random.normal();
}

/** A curve whose draws share what the text adds, and have `own` noise. */
function makeCurve(
  figures: readonly (readonly [size: number, value: number])[],
  seed: number,
  own = 0.005,
): SizedPoint[] {
  const random = new Prng(seed);
  return figures.map(([size, value]) => ({
    size,
    value,
    draws: shared.map((draw) => value + draw + own * random.normal()),
  }));
}

describe("compareAtEqualSize", () => {
  it("interpolates in the logarithm of the size", () => {
    const a = makeCurve(
      [
        [1, 3],
        [100, 1],
      ],
      2,
    );
    const b = makeCurve(
      [
        [1, 2.5],
        [10, 2.5],
        [100, 2.5],
      ],
      3,
    );
    const found = compareAtEqualSize(a, b, { better: "lower", steps: 3 });
    expect(found?.along.map(({ size }) => Math.round(size))).toEqual([1, 10, 100]);
    const estimates = found?.along.map(({ difference }) => difference.estimate) ?? [];
    for (const [i, value] of [0.5, -0.5, -1.5].entries())
      expect(estimates[i]).toBeCloseTo(value, 9);
    // Trapezoids: (0.5/2 − 0.5 − 1.5/2) / 2
    expect(found?.mean.estimate).toBeCloseTo(-0.5, 9);
    expect(found?.crossings).toHaveLength(1);
    expect(found?.crossings[0]?.size).toBeCloseTo(10 ** 0.5, 6);
  });

  it("keeps the pairing: what the text adds to all points does not widen the difference", () => {
    const a = makeCurve(
      [
        [2, 1.9],
        [20, 1.4],
      ],
      2,
    );
    const b = makeCurve(
      [
        [1, 2.2],
        [10, 1.7],
      ],
      3,
    );
    const found = compareAtEqualSize(a, b, { better: "lower" });
    expect([found?.from, found?.to]).toEqual([2, 10]);
    expect(found && halfWidth(found.mean.interval)).toBeLessThan(0.015);
    expect(found?.mean.verdict).toBe("a");
    expect(found?.crossings).toEqual([]);
  });

  it("gives a crossing an interval that holds the true one when the draws cross too", () => {
    const a = makeCurve(
      [
        [1, 3],
        [100, 1],
      ],
      4,
      0.05,
    );
    const b = makeCurve(
      [
        [1, 2],
        [100, 2],
      ],
      5,
      0.05,
    );
    const [crossing] = compareAtEqualSize(a, b, { better: "lower" })?.crossings ?? [];
    expect(crossing?.size).toBeCloseTo(10, 6);
    expect(crossing?.interval?.low).toBeGreaterThan(7);
    expect(crossing?.interval?.low).toBeLessThan(10);
    expect(crossing?.interval?.high).toBeGreaterThan(10);
    expect(crossing?.interval?.high).toBeLessThan(14);
  });

  it("gives no interval to a crossing that is noise", () => {
    const a = makeCurve(
      [
        [1, 2.001],
        [100, 1.999],
      ],
      4,
      0.1,
    );
    const b = makeCurve(
      [
        [1, 2],
        [100, 2],
      ],
      5,
      0.1,
    );
    const found = compareAtEqualSize(a, b, { better: "lower" });
    expect(found?.crossings).toHaveLength(1);
    expect(found?.crossings[0]?.interval).toBeNull();
    expect(found?.mean.verdict).toBe("undecided");
  });

  it("says nothing where no size is in the range of both", () => {
    const a = makeCurve(
      [
        [1, 3],
        [2, 2],
      ],
      4,
    );
    const b = makeCurve(
      [
        [3, 3],
        [9, 2],
      ],
      5,
    );
    expect(compareAtEqualSize(a, b, { better: "lower" })).toBeNull();
    expect(compareAtEqualSize(a, [], { better: "lower" })).toBeNull();
    expect(compareAtEqualSize(a, makeCurve([[1, 2]], 3), { better: "lower" })).toBeNull();
  });
});

describe("sizeOfEqualQuality", () => {
  const [curve, points] = [
    makeCurve(
      [
        [1, 3],
        [100, 1],
      ],
      2,
    ),
    makeCurve(
      [
        [7, 2],
        [8, 0.5],
      ],
      3,
    ),
  ];

  it("is where the curve has the point's value, whatever the point's own size", () => {
    const found = sizeOfEqualQuality(curve, points[0] as SizedPoint);
    expect(found?.size).toBeCloseTo(10, 6);
    expect(found?.interval?.low).toBeGreaterThan(9);
    expect(found?.interval?.high).toBeLessThan(11);
  });

  it("is not known beyond the curve's ends", () => {
    expect(sizeOfEqualQuality(curve, points[1] as SizedPoint)).toBeNull();
    expect(sizeOfEqualQuality([], points[0] as SizedPoint)).toBeNull();
  });
});
