import type { Interval } from "../statistics/interval.ts";

/** Which prompts a model continues to be judged by what it writes, and how. */
export interface GenerateChoice {
  /** How many of the prompts, the first ones; default all. */
  readonly count?: number | undefined;
  /**
   * File of prompts in place of the built-in ones: one a line, or JSON lines with texts or chat
   * `messages`, of which the last answers are left out.
   */
  readonly prompts?: string | undefined;
  /** Most tokens to write to each; default 128. What the context leaves may be less. */
  readonly maxTokens?: number | undefined;
  /** 0 (default): the most likely token each time. */
  readonly temperature?: number | undefined;
  /** Seed of the draws; default 0. */
  readonly seed?: number | undefined;
}

/** The same, and where the texts go. */
export interface GenerateSelection extends GenerateChoice {
  /** File that all continuations are written to as JSON lines, the original's last. */
  readonly to?: string | undefined;
}

/** A mean over continuations. */
export interface ContinuationMean {
  readonly mean: number;
  /** 95 % interval, over prompts; null with one prompt. */
  readonly interval: Interval | null;
}

/** What a model wrote to a prompt. */
export interface Continuation {
  /** The prompt as people read it: a text, or the last message. */
  readonly prompt: string;
  readonly text: string;
  /** Tokens, without the one that ends a text. */
  readonly tokens: number;
  /** The model ended it itself; otherwise it was cut. */
  readonly ended: boolean;
  /** Share of its 4-grams of tokens that it had before. */
  readonly repetition: number;
  /** Tokens of the period that its end repeats; null where it ends in none. */
  readonly loop: number | null;
  /** Mean of KL(original ‖ model) in nats a token on what the original wrote; null without one. */
  readonly klDivergence: number | null;
  /**
   * With how many tokens of what the original wrote it begins, and which share of them that is (the
   * token that ends a text counts); null without an original, and where tokens are drawn.
   */
  readonly reproduced: { readonly tokens: number; readonly share: number } | null;
}

/** What shows in the texts that a model writes whether it can write. */
export interface GenerationFigures {
  /** Id of the built-in set of prompts; null for those of a file. */
  readonly promptSet: string | null;
  /**
   * SHA-256 of the prompts' token ids and of how many tokens could follow each: where it is the
   * same, and the three numbers below, two models were asked the same.
   */
  readonly promptsSha256: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  /** Share of a continuation's 4-grams of tokens that it had before; 0 where it has none. */
  readonly repetition: ContinuationMean;
  /** Share of the continuations that end in a loop. */
  readonly loops: ContinuationMean;
  /**
   * Expected share of different n-grams among 256 drawn from all continuations, by n; null where
   * there are fewer.
   */
  readonly distinct: {
    readonly one: number | null;
    readonly two: number | null;
    readonly three: number | null;
  };
  /** Tokens of a continuation. */
  readonly length: ContinuationMean;
  /** Share of the continuations that the model ended itself. */
  readonly ended: ContinuationMean;
  /** Mean over continuations of their mean KL(original ‖ model); null without an original. */
  readonly klDivergence: ContinuationMean | null;
  /** What of the original's continuations comes again before the first other token. */
  readonly reproduced: {
    /** Share of its tokens. */
    readonly share: ContinuationMean;
    readonly tokens: number;
  } | null;
  readonly continuations: readonly Continuation[];
}

/** How far the continuations are. */
export interface GenerationProgress {
  /** Pieces of work that are done, and all: texts to write, and to score. */
  readonly done: number;
  readonly total: number;
  readonly elapsedMs: number;
  readonly remainingMs: number | null;
}
