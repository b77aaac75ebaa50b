import { expect, test } from "vitest";
import { scheduleFactor } from "./schedule.ts";

const factors = (schedule: Parameters<typeof scheduleFactor>[0], steps: number): number[] =>
  Array.from({ length: steps }, (_, step) => scheduleFactor(schedule, step, steps));

test("a cosine goes from 1 halfway to its final ratio by the middle", () => {
  const [first, , middle] = factors({ kind: "cosine", finalRatio: 0.05 }, 4);
  expect(first).toBe(1);
  expect(middle).toBeCloseTo(0.525, 12);
  expect(scheduleFactor({ kind: "cosine", finalRatio: 0.05 }, 4, 4)).toBeCloseTo(0.05, 12);
});

test("a warm-up of a share rises evenly and ends at 1", () => {
  const expected = [1 / 3, 2 / 3, 1, 1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7];
  const found = factors({ kind: "linear", warmUp: 0.25 }, 10);
  for (const [i, factor] of found.entries()) expect(factor).toBeCloseTo(expected[i], 12);
});

test("a constant schedule stays at 1 after its warm-up", () => {
  expect(factors({ kind: "constant", warmUp: 2, finalRatio: 0 }, 5)).toEqual([0.5, 1, 1, 1, 1]);
});
