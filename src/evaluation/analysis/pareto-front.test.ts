import { describe, expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import { findFront, type PricedPoint } from "./pareto-front.ts";

/** Points whose draws share what the text adds, `spread`, and have a little of their own. */
function makePoints(figures: readonly (readonly [string, number, number])[]): PricedPoint[] {
  const text = new Prng(1);
  const shared = Float64Array.from({ length: 2000 }, () => 0.3 * text.normal());
  const own = new Prng(2);
  return figures.map(([id, cost, value]) => ({
    id,
    cost,
    value,
    draws: shared.map((draw) => value + draw + 0.01 * own.normal()),
  }));
}

describe("findFront", () => {
  const points = makePoints([
    ["w4", 4, 1.0],
    ["w2", 2, 1.5],
    ["w2-bad", 2, 1.9],
    ["w3-near", 3, 1.505],
    ["w8", 8, 0.9],
    ["w5-bad", 5, 1.6],
  ]);
  const front = findFront(points, { better: "lower" });

  it("is what no other point beats at no more cost, from the cheapest", () => {
    expect(front.points).toEqual(["w2", "w4", "w8"]);
  });

  it("names what beats the others", () => {
    expect(front.dominated.map(({ id, by }) => [id, by])).toEqual([
      ["w2-bad", ["w2"]],
      ["w3-near", ["w2"]],
      ["w5-bad", ["w2", "w4"]],
    ]);
  });

  it("calls a point clearly dominated only when the paired draws say so", () => {
    expect(front.dominated.map(({ clear }) => clear)).toEqual([true, false, true]);
  });

  it("turns around for speeds and accuracies", () => {
    const { points: best } = findFront(points, { better: "higher", cheaper: "higher" });
    expect(best).toEqual(["w8", "w5-bad", "w2-bad"]);
  });

  it("keeps both of two points that are the same in cost and value", () => {
    const twins = makePoints([
      ["a", 1, 1],
      ["b", 1, 1],
    ]);
    expect(findFront(twins, { better: "lower" }).points).toEqual(["a", "b"]);
  });

  it("takes costs whose spreads overlap for equal: the best of them stands for all", () => {
    const speeds = (half: number): PricedPoint[] =>
      makePoints([
        ["best", 100, 1.0],
        ["middle", 120, 1.2],
        ["fast", 160, 1.4],
      ]).map((point) => ({
        ...point,
        spread: { low: point.cost - half, high: point.cost + half },
      }));
    const ways = { better: "lower", cheaper: "higher" } as const;
    expect(findFront(speeds(5), ways).points).toEqual(["fast", "middle", "best"]);
    // Two that overlap with the one between them are still apart from each other.
    expect(findFront(speeds(25), ways)).toEqual({
      points: ["fast", "best"],
      dominated: [{ id: "middle", by: ["best"], clear: false }],
    });
    expect(findFront(speeds(40), ways).points).toEqual(["best"]);
  });

  it("calls a point clearly dominated only by one that is surely no dearer", () => {
    const points = makePoints([
      ["good", 1, 1.0],
      ["bad", 1.1, 2.0],
    ]);
    const within = (half: number) =>
      points.map((point) => ({
        ...point,
        spread: { low: point.cost - half, high: point.cost + half },
      }));
    const clearOf = (priced: readonly PricedPoint[]) =>
      findFront(priced, { better: "lower" }).dominated.map(({ clear }) => clear);
    expect(clearOf(within(0.02))).toEqual([true]);
    expect(clearOf(within(0.2))).toEqual([false]);
  });

  it("leaves out what has no figure, and is empty for no points", () => {
    const broken = makePoints([
      ["a", 1, 1],
      ["b", 1, Number.NaN],
      ["c", Number.POSITIVE_INFINITY, 0],
    ]);
    expect(findFront(broken, { better: "lower" })).toEqual({ points: ["a"], dominated: [] });
    expect(findFront([], { better: "lower" })).toEqual({ points: [], dominated: [] });
  });
});
