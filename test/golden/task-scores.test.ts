import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { load, openTask, type TaskScore } from "../../src/index.ts";
import { scoreTask } from "../../src/evaluation/tasks/score-task.ts";

const data = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const absent = existsSync(`${data}models/stories260K`)
  ? ""
  : " (skipped: the shared models and tasks, ../shared/data, are not on this machine)";

/** What tools/golden/make_task_scores.py writes of a task. */
interface Expected {
  readonly logLikelihoods: readonly (readonly number[])[];
  /** A digit an item: the right option, the likeliest, the likeliest by length. */
  readonly gold: string;
  readonly chosen: string;
  readonly chosenByLength: string;
  /** `1` where greedy decoding gives the first option. */
  readonly greedy: string;
}

interface Golden {
  readonly items: number;
  readonly seed: number;
  readonly models: Readonly<Record<string, Readonly<Record<string, Expected>>>>;
}

const golden = JSON.parse(
  readFileSync(new URL("./task-scores.json", import.meta.url), "utf8"),
) as Golden;

/** Relative difference of a log-likelihood: float32 sums over up to some hundred tokens. */
const tolerance = 1e-4;

describe.skipIf(absent !== "")(`scores of tasks${absent}`, () => {
  for (const [name, byTask] of Object.entries(golden.models)) {
    it(`of ${name} are those of PyTorch, item by item`, async () => {
      const model = await load(`${data}models/${name}`);
      for (const [title, expected] of Object.entries(byTask)) {
        const [id = "", shots] = title.replace(" examples", "").split(", ");
        const task = await openTask(id, {
          tasksFrom: `${data}tasks`,
          shots: Number(shots ?? 0),
          seed: golden.seed,
          limit: golden.items,
        });
        expect(digits(task.items.map(({ gold }) => gold))).toBe(expected.gold);
        expectSame(await scoreTask(model, task), expected, `${name}, ${title}`);
      }
      model.release();
    });
  }
});

function expectSame(score: TaskScore, expected: Expected, where: string): void {
  const { answers } = score;
  for (const [item, { logLikelihoods }] of answers.entries()) {
    const wanted = expected.logLikelihoods[item] ?? [];
    expect(logLikelihoods).toHaveLength(wanted.length);
    for (const [option, value] of logLikelihoods.entries()) {
      const relative = Math.abs(value / (wanted[option] ?? 0) - 1);
      expect(relative, `${where}, item ${item}, option ${option}`).toBeLessThan(tolerance);
    }
  }
  const rights = digits(answers.map(({ right }) => Number(right)));
  if (score.perplexity) {
    expect(rights, where).toBe(expected.greedy);
    const sum = expected.logLikelihoods.reduce((total, [value = 0]) => total + value, 0);
    expect(score.perplexity.mean / Math.exp(-sum / answers.length)).toBeCloseTo(1, 3);
    return;
  }
  expect(rights, where).toBe(agreements(expected.chosen, expected.gold));
  if (!score.normalizedAccuracy) return;
  const normalized = digits(answers.map(({ rightNormalized }) => Number(rightNormalized)));
  expect(normalized, where).toBe(agreements(expected.chosenByLength, expected.gold));
}

function digits(values: readonly number[]): string {
  return values.join("");
}

/** `1` where two strings have the same digit. */
function agreements(a: string, b: string): string {
  return digits([...a].map((digit, index) => Number(digit === b[index])));
}
