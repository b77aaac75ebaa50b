import type { Interval } from "../statistics/interval.ts";

/** One continuation of a context; a task asks which of several is the likeliest. */
export interface TaskOption {
  readonly context: string;
  /** What follows, with the space that separates it from the context. */
  readonly continuation: string;
  /** Characters (code points) of the answer itself: what the normalised accuracy divides by. */
  readonly characters: number;
}

/** One question. */
export interface TaskItem {
  readonly options: readonly TaskOption[];
  /** Index of the right option. */
  readonly gold: number;
}

/**
 * When an item counts as answered rightly. `likeliest`: of its options the right one is the
 * likeliest. `greedy`: it has one option, and greedy decoding of the context gives just that.
 */
export type TaskRule = "likeliest" | "greedy";

/** Questions of one kind, under a name. */
export interface Task {
  readonly name: string;
  readonly items: readonly TaskItem[];
  /** Default `likeliest`. */
  readonly rule?: TaskRule;
  /** Whether accuracy by length is among its figures; by default of the rule `likeliest`. */
  readonly normalized?: boolean;
  /** Answered examples in front of each item; default 0. */
  readonly shots?: number;
  /** Whether items were left out. */
  readonly limited?: boolean;
  /** Hash of its data file in lower-case hexadecimal; left out for a task without one. */
  readonly sha256?: string;
}

/** A share of right answers and the standard error of that mean. */
export interface Accuracy {
  readonly mean: number;
  readonly standardError: number;
  /** 95 % interval over items, of a mean over tasks; absent in results of older versions. */
  readonly interval?: Interval;
}

/** The score of a model on one item. */
export interface Answer {
  /** Log-likelihood of each option's continuation given its context, in nats. */
  readonly logLikelihoods: readonly number[];
  /** The item was answered rightly, by the task's rule. */
  readonly right: boolean;
  /** The same after normalisation; null where the task has no such figure. */
  readonly rightNormalized: boolean | null;
}

/** The score of a model on a task. */
export interface TaskScore {
  readonly name: string;
  /** Hash of its data file; null for a task without one. */
  readonly sha256: string | null;
  /** Answered examples in front of each item. */
  readonly shots: number;
  readonly items: number;
  /** Whether these are only the first items of the file. */
  readonly limited: boolean;
  /** Share of items that were answered rightly (`acc`). */
  readonly accuracy: Accuracy;
  /**
   * The same after dividing each log-likelihood by the characters of its answer (`acc_norm`); null
   * where the task has no such figure.
   */
  readonly normalizedAccuracy: Accuracy | null;
  /**
   * Exponential of the mean negative log-likelihood of a continuation, and its standard error by
   * the delta method; null for tasks of several options.
   */
  readonly perplexity: Accuracy | null;
  /** Accuracy of guessing: mean of 1 / options; 0 under the rule `greedy`. */
  readonly chance: number;
  /** `(accuracy − chance) / (1 − chance)`: 0 for guessing, 1 for always right. */
  readonly accuracyAboveChance: number;
  /** One an item, in the order of the task. */
  readonly answers: readonly Answer[];
}

/** Makes an item whose options follow one context, separated from it by a space. */
export function multipleChoice(
  context: string,
  choices: readonly string[],
  gold: number,
): TaskItem {
  const options = choices.map((choice) => ({
    context,
    continuation: ` ${choice}`,
    characters: [...choice].length,
  }));
  return { options, gold };
}
