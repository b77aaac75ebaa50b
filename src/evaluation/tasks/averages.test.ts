import { expect, test } from "vitest";
import { averageOfAll, averagesOf } from "./averages.ts";
import type { TaskScore } from "./task.ts";

const score = (name: string, mean: number, normalized: number | null): TaskScore => ({
  name,
  sha256: null,
  shots: 0,
  items: 100,
  limited: false,
  accuracy: { mean, standardError: 0.03 },
  normalizedAccuracy: normalized === null ? null : { mean: normalized, standardError: 0.04 },
  perplexity: null,
  chance: 0.25,
  accuracyAboveChance: (mean - 0.25) / 0.75,
  answers: [],
});

const five = [
  score("winogrande", 0.5, null),
  score("piqa", 0.6, 0.7),
  score("hellaswag", 0.4, 0.5),
  score("arc_easy", 0.5, 0.6),
  score("arc_challenge", 0.25, 0.3),
];

test("an average has its name only when all of its tasks are there, whole and without examples", () => {
  const [average, ...others] = averagesOf(five);
  expect(others).toEqual([]);
  expect(average?.name).toBe("efficientqat-5");
  expect(average?.accuracy.mean).toBeCloseTo(0.45, 12);
  expect(average?.accuracy.standardError).toBeCloseTo((0.03 * Math.sqrt(5)) / 5, 12);
  expect(averagesOf(five.slice(1))).toEqual([]);
  expect(averagesOf(five.map((each) => ({ ...each, limited: true })))).toEqual([]);
  expect(averagesOf(five.map((each) => ({ ...each, shots: 2 })))).toEqual([]);
});

test("OneBit's average takes the accuracy by length of tasks that have one", () => {
  const onebit = averagesOf([...five, score("boolq", 0.6, null)]).find(
    ({ name }) => name === "onebit-6",
  );
  expect(onebit?.accuracy.mean).toBeCloseTo((0.5 + 0.7 + 0.5 + 0.6 + 0.3 + 0.6) / 6, 12);
});

test("the mean over all tasks says how many there are, and takes plain accuracies", () => {
  expect(averageOfAll(five)).toMatchObject({ name: "all 5 tasks" });
  expect(averageOfAll(five)?.accuracy.mean).toBeCloseTo(0.45, 12);
  expect(averageOfAll(five)?.accuracyAboveChance).toBeCloseTo((0.45 - 0.25) / 0.75, 12);
  expect(averageOfAll(five.slice(0, 1))).toBeNull();
});
