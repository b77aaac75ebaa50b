import { expect, test } from "vitest";
import { makeSweepResults } from "../../test/fixtures/sweep-results.ts";
import {
  allFigures,
  type Figure,
  figurePaths,
  figures,
  readFigure,
  readSpread,
} from "./figures.ts";

const result = makeSweepResults({ windows: 5, items: 9 }).points[1]?.result;
const task = {
  ...result?.tasks[0],
  normalizedAccuracy: { mean: 0.5, standardError: 0.1 },
  perplexity: { mean: 7, standardError: 0.2 },
};
const subjects = { model: result, text: result?.texts[0], task };
const measured = allFigures.filter(({ path }) => path !== undefined);

test.each(measured)("$id is read off what was measured", (figure) => {
  expect(readFigure(figure, subjects[figure.of])).toEqual(expect.any(Number));
  expect(readFigure(figure, null)).toBeNull();
  const isSure = figure.interval !== undefined || figure.error !== undefined;
  expect(readSpread(figure, subjects[figure.of])).toEqual(isSure ? expect.any(Number) : null);
});

test("columns have one name each, and a figure names no more than it has", () => {
  for (const of of ["model", "text", "task"]) {
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
