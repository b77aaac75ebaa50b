import { describe, expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import { bootstrapMeans, type Draws } from "./bootstrap.ts";
import { percentileInterval, subtractDraws } from "./draws.ts";
import { correctPValues } from "./holm.ts";
import { halfWidth } from "./interval.ts";
import { compareRight, comparePaired, correctDifferences } from "./paired-comparison.ts";

/** Losses of two models on texts that are hard for both or for none; `a` is better by `gain`. */
function correlatedLosses(windows: number, gain: number): [number[], number[]] {
  const random = new Prng(8);
  const hard = Array.from({ length: windows }, () => 3 + 0.5 * random.normal());
  const b = hard.map((loss) => loss + 0.02 * random.normal());
  return [hard.map((loss) => loss - gain + 0.02 * random.normal()), b];
}

describe("comparePaired", () => {
  it("decides what intervals of the two figures alone could not", () => {
    const [a, b] = correlatedLosses(60, 0.02);
    const paired = comparePaired(a, b, { better: "lower" });
    const [drawsA] = bootstrapMeans([a], { seed: 1 }) as [Draws];
    const [drawsB] = bootstrapMeans([b], { seed: 2 }) as [Draws];
    const apart = percentileInterval(subtractDraws(drawsA, drawsB));
    expect(halfWidth(paired.interval)).toBeLessThan(halfWidth(apart) / 10);
    expect(apart.low).toBeLessThan(0);
    expect(apart.high).toBeGreaterThan(0);
    expect(paired.verdict).toBe("a");
    expect(paired.estimate).toBeCloseTo(-0.02, 2);
  });

  it("mirrors when the two are exchanged", () => {
    const [a, b] = correlatedLosses(60, 0.02);
    expect(comparePaired(b, a, { better: "lower" }).verdict).toBe("b");
    expect(comparePaired(b, a, { better: "higher" }).verdict).toBe("a");
  });

  it("is wrong about equal models at most about 5 times of 100", () => {
    const random = new Prng(4);
    const repetitions = 200;
    let said = 0;
    for (let i = 0; i < repetitions; i++) {
      const a = Array.from({ length: 20 }, () => random.normal());
      const b = Array.from({ length: 20 }, () => random.normal());
      const options = { better: "lower", draws: 400, seed: i } as const;
      if (comparePaired(a, b, options).verdict !== "undecided") said++;
    }
    expect(said / repetitions).toBeGreaterThan(0.01);
    expect(said / repetitions).toBeLessThan(0.085);
  });

  it("decides nothing between a model and itself", () => {
    const [a] = correlatedLosses(60, 0);
    const same = comparePaired(a, a, { better: "lower" });
    expect(same).toMatchObject({ estimate: 0, pValue: 1, verdict: "undecided" });
  });

  it("refuses figures of different windows", () => {
    expect(() => comparePaired([1, 2, 3], [1, 2], { better: "lower" })).toThrow(/same units/);
  });
});

describe("compareRight", () => {
  const answers = (items: number, onlyA: number, onlyB: number): [number[], number[]] => [
    Array.from({ length: items }, (_, i) => (i < onlyA ? 1 : i < onlyA + onlyB ? 0 : i % 2)),
    Array.from({ length: items }, (_, i) => (i < onlyA ? 0 : i < onlyA + onlyB ? 1 : i % 2)),
  ];

  // By McNemar's exact test 4 against 0 has p = 0.125, 10 against 0 p = 0.002, 40 against 20 p =
  // 0.013.
  it.each([
    [4, 0, "undecided"],
    [10, 0, "a"],
    [0, 10, "b"],
    [6, 5, "undecided"],
    [40, 20, "a"],
  ])("%d answers that only one has, against %d: %s", (onlyA, onlyB, verdict) => {
    const [a, b] = answers(200, onlyA, onlyB);
    const difference = compareRight(a, b);
    expect(difference.estimate).toBeCloseTo((onlyA - onlyB) / 200, 12);
    expect(difference.verdict).toBe(verdict);
  });
});

describe("correctPValues", () => {
  it("is what Holm's steps give by hand", () => {
    // 0.01·4, max(0.04, 0.02·3), max(0.06, 0.03·2), max(0.06, 0.5·1)
    const corrected = correctPValues([0.03, 0.01, 0.5, 0.02]);
    for (const [i, value] of [0.06, 0.04, 0.5, 0.06].entries()) {
      expect(corrected[i]).toBeCloseTo(value, 12);
    }
    expect(correctPValues([0.9, 0.8])).toEqual([1, 1]);
    expect(correctPValues([])).toEqual([]);
  });

  it("takes a verdict back that one question among many does not support", () => {
    const [a, b] = correlatedLosses(60, 0.02);
    const alone = { ...comparePaired(a, b, { better: "lower" }), pValue: 0.01 };
    expect(correctDifferences([alone], "lower")[0]?.verdict).toBe("a");
    const family = correctDifferences(
      [alone, ...new Array(20).fill({ ...alone, pValue: 0.7 })],
      "lower",
    );
    expect(family[0]?.verdict).toBe("undecided");
    expect(family[0]?.interval).toEqual(alone.interval);
  });
});
