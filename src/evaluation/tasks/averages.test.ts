import { describe, expect, it } from "vitest";
import { averagesOf, namedOrOwnAverages, taskAverages, tasksOfAverage } from "./averages.ts";
import type { TaskScore } from "./task.ts";

const score = (name: string, mean: number, normalized: number | null = null): TaskScore => ({
  name,
  sha256: null,
  shots: 0,
  items: 100,
  limited: false,
  accuracy: { mean, standardError: 0.03 },
  normalizedAccuracy: normalized === null ? null : { mean: normalized, standardError: 0.04 },
  perplexity: null,
  chance: 0.5,
  accuracyAboveChance: 2 * mean - 1,
  answers: [],
});

/** OneBit's six, two of which have no accuracy by length. */
const six = [
  score("winogrande", 0.5),
  score("hellaswag", 0.3, 0.4),
  score("piqa", 0.6, 0.7),
  score("boolq", 0.7),
  score("arc_easy", 0.4, 0.5),
  score("arc_challenge", 0.2, 0.3),
];

describe("averagesOf", () => {
  it("gives the averages whose tasks are all there, each from its own accuracy", () => {
    const [five, onebit, ...others] = averagesOf([...six, score("siqa", 0.9)]);
    expect(others).toEqual([]);
    expect(five?.name).toBe("efficientqat-5");
    expect(five?.accuracy.mean).toBeCloseTo((0.5 + 0.3 + 0.6 + 0.4 + 0.2) / 5, 12);
    expect(five?.accuracy.standardError).toBeCloseTo(0.03 / Math.sqrt(5), 12);
    expect(onebit?.name).toBe("onebit-6");
    expect(onebit?.accuracy.mean).toBeCloseTo((0.5 + 0.4 + 0.7 + 0.7 + 0.5 + 0.3) / 6, 12);
    const variance = 2 * 0.03 ** 2 + 4 * 0.04 ** 2;
    expect(onebit?.accuracy.standardError).toBeCloseTo(Math.sqrt(variance) / 6, 12);
    expect(onebit?.accuracyAboveChance).toBeCloseTo(2 * (onebit?.accuracy.mean ?? 0) - 1, 12);
  });

  it.each(six.map(({ name }) => name))("has no name for a part: without %s none of six", (name) => {
    const names = averagesOf(six.filter((task) => task.name !== name)).map((found) => found.name);
    expect(names).not.toContain("onebit-6");
  });

  it("has no name for tasks with examples or left-out items", () => {
    const [first, ...rest] = six;
    if (!first) throw new Error("no task");
    expect(averagesOf([{ ...first, shots: 5 }, ...rest])).toEqual([]);
    expect(averagesOf([{ ...first, limited: true }, ...rest])).toEqual([]);
  });

  it("counts the tasks that their names say", () => {
    for (const [name, { tasks }] of Object.entries(taskAverages)) {
      expect(new Set(tasks).size).toBe(Number(name.split("-")[1]));
    }
    expect(tasksOfAverage("paretoq-8")).toContain("openbookqa");
    expect(() => tasksOfAverage("mine-3")).toThrow(/there is no average mine-3/);
  });
});

describe("namedOrOwnAverages", () => {
  const mine = six.map((each) => ({ ...each, limited: true }));

  it("is the mean of plain accuracies over all tasks where no paper names the set", () => {
    const [own, ...others] = namedOrOwnAverages(mine);
    expect(others).toEqual([]);
    expect(own).toMatchObject({ name: "tasks", tasks: six.map(({ name }) => name) });
    expect(own?.accuracy.mean).toBeCloseTo((0.5 + 0.3 + 0.6 + 0.7 + 0.4 + 0.2) / 6, 12);
    expect(own?.accuracyAboveChance).toBeCloseTo(2 * (own?.accuracy.mean ?? 0) - 1, 12);
  });

  it("is what papers name where there is such an average, and nothing for a single task", () => {
    expect(namedOrOwnAverages(six)).toEqual(averagesOf(six));
    expect(namedOrOwnAverages(mine.slice(0, 1))).toEqual([]);
  });
});
