/** One way to go on from a context; a task asks which of several is the likeliest. */
export interface TaskOption {
  readonly context: string;
  /** What follows, with the space that parts it from the context. */
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

/** Questions of one kind, under a name. */
export interface Task {
  readonly name: string;
  readonly items: readonly TaskItem[];
}

/** A share of right answers and the standard error of that mean. */
export interface Accuracy {
  readonly mean: number;
  readonly standardError: number;
}

/** What a model made of one item. */
export interface Answer {
  /** Log-likelihood of each option's continuation given its context, in nats. */
  readonly logLikelihoods: readonly number[];
  /** The likeliest option is the right one. */
  readonly right: boolean;
  /** The same after normalisation. */
  readonly rightNormalized: boolean;
}

/** What came of a task. */
export interface TaskScore {
  readonly name: string;
  readonly items: number;
  /** The likeliest option is the right one (`acc`). */
  readonly accuracy: Accuracy;
  /** The same after dividing each log-likelihood by the characters of its answer (`acc_norm`). */
  readonly normalizedAccuracy: Accuracy;
  /** Accuracy of guessing: mean of 1 / options. */
  readonly chance: number;
  /** `(accuracy − chance) / (1 − chance)`: 0 for guessing, 1 for always right. */
  readonly accuracyAboveChance: number;
  /** One an item, in the order of the task. */
  readonly answers: readonly Answer[];
}

/** Makes an item whose options follow one query, parted from it by a space. */
export function multipleChoice(query: string, choices: readonly string[], gold: number): TaskItem {
  const options = choices.map((choice) => ({
    context: query,
    continuation: ` ${choice}`,
    characters: [...choice].length,
  }));
  return { options, gold };
}
