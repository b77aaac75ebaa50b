import { expect, test } from "vitest";
import { averagesOf, taskAverages } from "../evaluation/tasks/averages.ts";
import type { TaskScore } from "../evaluation/tasks/task.ts";
import { plainStyle } from "./style.ts";
import { formatTaskTable, type ShownScores } from "./task-table.ts";

const score = (name: string, mean: number, chance: number): TaskScore => ({
  name,
  items: 100,
  accuracy: { mean, standardError: 0.04 },
  normalizedAccuracy: { mean: mean - 0.1, standardError: 0.04 },
  chance,
  accuracyAboveChance: (mean - chance) / (1 - chance),
  sha256: null,
  shots: 0,
  limited: false,
  perplexity: null,
  answers: [],
});
const tasks = [score("where", 0.8, 0.25), score("agreement", 0.9, 0.5)];
const shown = (scores: readonly TaskScore[]): ShownScores => ({
  tasks: scores,
  averages: averagesOf(scores),
});
const layout = { width: 100, style: plainStyle };

test("each task has a row, and the last row is the mean", () => {
  expect(formatTaskTable(shown(tasks), null, layout)).toEqual([
    "  task       items  chance      accuracy     by length  above chance",
    "  where        100  25.0 %  80.0 ± 4.0 %  70.0 ± 4.0 %        73.3 %",
    "  agreement    100  50.0 %  90.0 ± 4.0 %  80.0 ± 4.0 %        80.0 %",
    "  mean              37.5 %  85.0 ± 2.8 %  75.0 ± 2.8 %        76.7 %",
  ]);
});

test("one task needs no mean, and an original stands beside", () => {
  const lines = formatTaskTable(
    shown(tasks.slice(0, 1)),
    shown([score("where", 0.95, 0.25)]),
    layout,
  );
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/original$/);
  expect(lines[1]).toMatch(/95\.0 %$/);
});

test("a named average takes the place of the mean, in the column it is made of", () => {
  const six = taskAverages["onebit-6"].tasks.map((name) => score(name, 0.6, 0.5));
  const lines = formatTaskTable(shown(six), null, layout);
  expect(lines.at(0)).toMatch(/^ {2}task +items +chance +accuracy +by length/);
  expect(lines.find((line) => line.includes("onebit-6"))).toMatch(/– +– +50\.0 ± 1\.6 %/);
  expect(lines.find((line) => line.includes("efficientqat-5"))).toMatch(/– +60\.0 ± 1\.8 % +–/);
  expect(lines.join()).not.toMatch(/mean|paretoq/);
});

test("examples, left-out items and missing figures are shown as such", () => {
  const lambada: TaskScore = {
    ...score("lambada_openai", 0.3, 0),
    normalizedAccuracy: null,
    perplexity: { mean: 12.34, standardError: 0.5 },
    shots: 2,
    limited: true,
  };
  expect(formatTaskTable(shown([lambada]), null, layout)).toEqual([
    "  task            shots      items  chance      accuracy  above chance  perplexity",
    "  lambada_openai      2  first 100   0.0 %  30.0 ± 4.0 %        30.0 %        12.3",
  ]);
});
