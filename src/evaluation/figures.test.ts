import { expect, test } from "vitest";
import { makeSweepResults } from "../../test/fixtures/sweep-results.ts";
import { type Figure, figurePaths, readFigure, readSpread } from "./figure.ts";
import { allFigures, figures } from "./figures.ts";

const result = makeSweepResults({ windows: 5, items: 9, prompts: 4 }).points[1]?.result;
const task = {
  ...result?.tasks[0],
  accuracy: { ...result?.tasks[0]?.accuracy, interval: { low: 0.2, high: 0.8, level: 0.95 } },
  normalizedAccuracy: {
    mean: 0.5,
    standardError: 0.1,
    interval: { low: 0.3, high: 0.7, level: 0.95 },
  },
  perplexity: { mean: 7, standardError: 0.2 },
};
const subjects = { model: result, text: result?.texts[0], task, generation: result };
const measured = allFigures.filter(({ path }) => path !== undefined);

test.each(measured)("$id is read off what was measured", (figure) => {
  expect(readFigure(figure, subjects[figure.of])).toEqual(expect.any(Number));
  expect(readFigure(figure, null)).toBeNull();
  const known = (path: string | undefined) => (path === undefined ? null : expect.any(Number));
  expect(readSpread(figure, subjects[figure.of])).toEqual(known(figure.interval));
  expect(readSpread(figure, subjects[figure.of], "error")).toEqual(known(figure.error));
});

test("columns have one name each, and a figure names no more than it has", () => {
  for (const of of ["model", "text", "task", "generation"]) {
    const own = allFigures.filter((figure) => figure.of === of);
    for (const names of [(figure: Figure) => figure.sql, (figure: Figure) => figure.csv]) {
      const all = own.flatMap((figure) => names(figure) ?? []);
      expect(new Set(all).size).toBe(all.length);
      for (const figure of own) {
        expect((names(figure) ?? []).length).toBeLessThanOrEqual(figurePaths(figure).length);
      }
    }
  }
});

test("a figure that was not measured is null, and a spread is half the interval", () => {
  const text = { perplexity: 7, interval: { low: 6, high: 9, level: 0.95 }, klDivergence: null };
  expect(readFigure(figures.kl, text)).toBeNull();
  expect(readSpread(figures.kl, text)).toBeNull();
  expect(readSpread(figures.perplexity, text)).toBe(1.5);
});
