import { expect, test } from "vitest";
import type { TaskScore } from "../evaluation/tasks/task.ts";
import { plainStyle } from "./style.ts";
import { formatTaskTable } from "./task-table.ts";

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
const layout = { width: 100, style: plainStyle };

test("each task has a row, and the last row is the mean", () => {
  expect(formatTaskTable(tasks, null, layout)).toEqual([
    "  task       items  chance      accuracy  by length  above chance",
    "  where        100  25.0 %  80.0 ± 4.0 %     70.0 %        73.3 %",
    "  agreement    100  50.0 %  90.0 ± 4.0 %     80.0 %        80.0 %",
    "  mean              37.5 %        85.0 %     75.0 %        76.7 %",
  ]);
});

test("one task needs no mean, and an original stands beside", () => {
  const lines = formatTaskTable(tasks.slice(0, 1), [score("where", 0.95, 0.25)], layout);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/original$/);
  expect(lines[1]).toMatch(/95\.0 %$/);
});
