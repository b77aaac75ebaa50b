import type { Products } from "../../backend/packed-operand.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { scoreContinuations } from "./score-continuations.ts";
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
 * Measures how often a model finds the right option likeliest: of each option the log-likelihood given
 * its context is the sum over its tokens. The first of equal options counts as chosen.
 */
export async function scoreTask(
  model: LanguageModel,
  task: Task,
  { products = "exact", signal, onProgress }: ScoreTaskOptions = {},
): Promise<TaskScore> {
  const options = task.items.flatMap((item) => item.options);
  let done = 0;
  const logLikelihoods = await scoreContinuations(model, options, {
    products,
    signal,
    onScored(count) {
      done += count;
      onProgress?.(done, options.length);
    },
  });
  return summarize(task, logLikelihoods);
}

/** Turns the log-likelihoods of all options, in the task's order, into its score. */
export function summarize({ name, items }: Task, logLikelihoods: Float64Array): TaskScore {
  let at = 0;
  const answers = items.map((item): Answer => {
    const sums = logLikelihoods.subarray(at, (at += item.options.length));
    return {
      logLikelihoods: [...sums],
      right: largest(sums) === item.gold,
      rightNormalized: largest(perCharacter(item, sums)) === item.gold,
    };
  });
  const chance = items.reduce((sum, item) => sum + 1 / item.options.length, 0) / items.length;
  const accuracy = share(answers.map(({ right }) => right));
  return {
    name,
    items: items.length,
    accuracy,
    normalizedAccuracy: share(answers.map(({ rightNormalized }) => rightNormalized)),
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

/** Mean of zeros and ones, and its standard error from the sample's variance. */
function share(right: readonly boolean[]): Accuracy {
  const count = right.length;
  const mean = right.filter(Boolean).length / count;
  const standardError = count > 1 ? Math.sqrt((mean * (1 - mean)) / (count - 1)) : 0;
  return { mean, standardError };
}
