import { UsageError } from "../../util/errors.ts";
import { meanShareInterval } from "../statistics/share-intervals.ts";
import type { Accuracy, TaskScore } from "./task.ts";
import type { TaskId } from "./index.ts";

/** A set of tasks whose mean accuracy papers report, and which accuracy they take. */
export interface TaskAverage {
  readonly title: string;
  readonly paper: { readonly arxiv: string };
  readonly tasks: readonly TaskId[];
  /** `accuracy` of all, or `normalizedAccuracy` of those that have it, `accuracy` of others. */
  readonly measure: "accuracy" | "normalizedAccuracy";
}

/** The averages that papers on low-bit models give. All are without examples, on whole files. */
export const taskAverages = {
  "efficientqat-5": {
    title: "five tasks of EfficientQAT, acc",
    paper: { arxiv: "2407.11062" },
    tasks: ["winogrande", "piqa", "hellaswag", "arc_easy", "arc_challenge"],
    measure: "accuracy",
  },
  "paretoq-8": {
    title: "eight tasks of ParetoQ, acc_norm where there is one",
    paper: { arxiv: "2502.02631" },
    tasks: [
      "arc_easy",
      "arc_challenge",
      "boolq",
      "piqa",
      "siqa",
      "hellaswag",
      "openbookqa",
      "winogrande",
    ],
    measure: "normalizedAccuracy",
  },
  "onebit-6": {
    title: "six tasks of OneBit, acc_norm where there is one",
    paper: { arxiv: "2402.11295" },
    tasks: ["winogrande", "hellaswag", "piqa", "boolq", "arc_easy", "arc_challenge"],
    measure: "normalizedAccuracy",
  },
} as const satisfies Readonly<Record<string, TaskAverage>>;

/** Names of the averages. */
export type AverageId = keyof typeof taskAverages;

/** Means over tasks, each counting the same. */
interface Average {
  /** Mean of the tasks' accuracies; the tasks' errors are independent. */
  readonly accuracy: Accuracy;
  /** Mean of `(accuracy − chance) / (1 − chance)`, of the same accuracies. */
  readonly accuracyAboveChance: number;
}

/** The mean over a named set of tasks. */
export interface NamedAverage extends Average {
  readonly name: AverageId;
  readonly tasks: readonly TaskId[];
  readonly measure: TaskAverage["measure"];
}

/**
 * Computes the averages whose tasks are all there, without examples and on whole files: a mean over
 * fewer tasks never gets the name.
 */
export function averagesOf(scores: readonly TaskScore[]): NamedAverage[] {
  const whole = scores.filter(({ shots, limited }) => shots === 0 && !limited);
  return averageIds.flatMap((name) => {
    const { tasks, measure }: TaskAverage = taskAverages[name];
    const members = tasks.flatMap((id) => whole.find((score) => score.name === id) ?? []);
    return members.length === tasks.length
      ? [{ name, tasks, measure, ...meanOfTasks(members, measure) }]
      : [];
  });
}

/** Names of all averages. */
export const averageIds = Object.keys(taskAverages) as readonly AverageId[];

/** Returns the tasks of an average. @throws UsageError when there is none of that name */
export function tasksOfAverage(name: string): readonly TaskId[] {
  const id = averageIds.find((known) => known === name);
  if (id) return taskAverages[id].tasks;
  throw new UsageError(`there is no average ${name}`, {
    hint: `averages are ${averageIds.join(", ")}`,
  });
}

/** The mean accuracy over tasks that stand together under no paper's name. */
export interface OwnAverage extends Average {
  readonly name: "tasks";
  readonly tasks: readonly string[];
  readonly measure: "accuracy";
}

/** Computes the mean accuracy (`acc`) over all tasks; null for fewer than two. */
function averageOfAll(scores: readonly TaskScore[]): OwnAverage | null {
  if (scores.length < 2) return null;
  return {
    name: "tasks",
    tasks: scores.map((score) => score.name),
    measure: "accuracy",
    ...meanOfTasks(scores, "accuracy"),
  };
}

/** The averages that papers name, or that of all tasks where there is none of those. */
export function namedOrOwnAverages(scores: readonly TaskScore[]): (NamedAverage | OwnAverage)[] {
  const named = averagesOf(scores);
  if (named.length > 0) return named;
  const own = averageOfAll(scores);
  return own ? [own] : [];
}

/** Computes means over tasks, each counting the same; the tasks' errors are independent. */
function meanOfTasks(members: readonly TaskScore[], measure: TaskAverage["measure"]): Average {
  const count = members.length;
  const accuracies = members.map((score) =>
    measure === "accuracy" ? score.accuracy : (score.normalizedAccuracy ?? score.accuracy),
  );
  const mean = accuracies.reduce((sum, accuracy) => sum + accuracy.mean, 0) / count;
  const variance = accuracies.reduce((sum, { standardError }) => sum + standardError ** 2, 0);
  const aboveChance = members.reduce((sum, { chance }, index) => {
    const accuracy = accuracies[index]?.mean ?? chance;
    return sum + (accuracy - chance) / (1 - chance);
  }, 0);
  const interval = meanShareInterval(members.map((score) => digitsOf(score, measure)));
  return {
    accuracy: { mean, standardError: Math.sqrt(variance) / count, ...(interval && { interval }) },
    accuracyAboveChance: aboveChance / count,
  };
}

/** 1 for each item that was answered rightly, by the accuracy that an average takes. */
function digitsOf({ answers, normalizedAccuracy }: TaskScore, measure: TaskAverage["measure"]) {
  const normalized = measure === "normalizedAccuracy" && normalizedAccuracy !== null;
  return Uint8Array.from(answers, ({ right, rightNormalized }) =>
    Number(normalized ? rightNormalized : right),
  );
}

/** Computes the means of all figures over tasks that have them all. */
export function meanScore(
  tasks: readonly TaskScore[],
): Pick<TaskScore, "chance" | "normalizedAccuracy"> & Average {
  const normalized = tasks.every((task) => task.normalizedAccuracy);
  return {
    chance: tasks.reduce((sum, { chance }) => sum + chance, 0) / tasks.length,
    ...meanOfTasks(tasks, "accuracy"),
    normalizedAccuracy: normalized ? meanOfTasks(tasks, "normalizedAccuracy").accuracy : null,
  };
}
