import type { Draw } from "./draw.ts";

/** A question with several answers, one of them right: a line of a task file. */
export interface Item {
  /** What comes before the answer; a space separates the two. */
  readonly query: string;
  readonly choices: readonly string[];
  /** Index of the right choice. */
  readonly gold: number;
}

/** A question about a text, before its answers are put in an order. */
export interface Question {
  readonly query: string;
  readonly answer: string;
  /** Wrong answers, all different. */
  readonly wrong: readonly string[];
}

/** Puts the answers in random order, the right one at `gold`, so that positions can be balanced. */
export function toItem({ query, answer, wrong }: Question, gold: number, draw: Draw): Item {
  const choices = draw.shuffle(wrong);
  choices.splice(gold, 0, answer);
  return { query, choices, gold };
}
