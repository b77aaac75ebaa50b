import type { Products } from "../../backend/packed-operand.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { type ContinuationScores, scoreContinuations } from "./score-continuations.ts";
import type { Accuracy, Answer, Task, TaskItem, TaskScore } from "./task.ts";

/** How a task is scored. */
export interface ScoreTaskOptions {
  /** How packed weights multiply; default `exact`. */
  readonly products?: Products;
  readonly signal?: AbortSignal | undefined;
  /** Called as options are scored, with how many of all there are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Measures how often a model answers rightly. The log-likelihood of an option given its context is
 * the sum over its tokens. The first of equal options counts as chosen.
 */
export async function scoreTask(
  model: LanguageModel,
  task: Task,
  { products = "exact", signal, onProgress }: ScoreTaskOptions = {},
): Promise<TaskScore> {
  const options = task.items.flatMap((item) => item.options);
  let done = 0;
  const scores = await scoreContinuations(model, options, {
    products,
    greedy: task.rule === "greedy",
    signal,
    onScored(count) {
      done += count;
      onProgress?.(done, options.length);
    },
  });
  return summarize(task, scores);
}

/** Turns the scores of all options, in the task's order, into the task's. */
export function summarize(task: Task, { logLikelihoods, greedy }: ContinuationScores): TaskScore {
  const { items, rule = "likeliest", normalized = rule === "likeliest" } = task;
  let at = 0;
  const answers = items.map((item): Answer => {
    const first = at;
    const sums = logLikelihoods.subarray(first, (at += item.options.length));
    return {
      logLikelihoods: [...sums],
      right: rule === "greedy" ? greedy?.[first] === 1 : largest(sums) === item.gold,
      rightNormalized: normalized ? largest(perCharacter(item, sums)) === item.gold : null,
    };
  });
  const chance = rule === "greedy" ? 0 : chanceOf(items);
  const accuracy = share(answers.map(({ right }) => right));
  return {
    name: task.name,
    sha256: task.sha256 ?? null,
    shots: task.shots ?? 0,
    items: items.length,
    limited: task.limited ?? false,
    accuracy,
    normalizedAccuracy: normalized
      ? share(answers.map(({ rightNormalized }) => rightNormalized === true))
      : null,
    perplexity: rule === "greedy" ? perplexityOf(logLikelihoods) : null,
    chance,
    accuracyAboveChance: (accuracy.mean - chance) / (1 - chance),
    answers,
  };
}

function perCharacter({ options }: TaskItem, sums: Float64Array): Float64Array {
  return sums.map((sum, index) => sum / (options[index]?.characters ?? 1));
}

function largest(values: Float64Array): number {
  return values.indexOf(values.reduce((most, value) => Math.max(most, value), -Infinity));
}

function chanceOf(items: readonly TaskItem[]): number {
  return items.reduce((sum, { options }) => sum + 1 / options.length, 0) / items.length;
}

/** Mean of zeros and ones, and its standard error from the sample's variance. */
function share(right: readonly boolean[]): Accuracy {
  const count = right.length;
  const mean = right.filter(Boolean).length / count;
  const standardError = count > 1 ? Math.sqrt((mean * (1 - mean)) / (count - 1)) : 0;
  return { mean, standardError };
}

function perplexityOf(logLikelihoods: Float64Array): Accuracy {
  const count = logLikelihoods.length;
  const mean = logLikelihoods.reduce((sum, value) => sum + value, 0) / count;
  const squares = logLikelihoods.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardError = count > 1 ? Math.sqrt(squares / (count - 1) / count) : 0;
  const perplexity = Math.exp(-mean);
  return { mean: perplexity, standardError: perplexity * standardError };
}
