import type { TaskScore } from "../evaluation/tasks/task.ts";
import type { VariantFigures } from "./evaluation-table.ts";

/** How a variant came about. */
export type Origin = "original" | "computed" | "trained" | "shipped";

/** One variant of a model among others. */
export interface ComparedVariant {
  readonly figures: VariantFigures;
  readonly origin: Origin;
  /** Bits that the scheme is named after: 4, 3, 2, 1.58, 1; 16 for the original. */
  readonly bits: number;
  readonly tasks: readonly TaskScore[];
  /** Time to make it, in milliseconds; null for what was there already. */
  readonly elapsedMs: number | null;
  /** What reproduces it on the command line; null for the original. */
  readonly command: string | null;
}

/** A text that a variant wrote. */
export interface Sample {
  readonly variant: string;
  readonly prompt: string;
  readonly continuation: string;
}

/** Variants of one model, measured alike. */
export interface Comparison {
  readonly title: string;
  /** Sentences that say what was measured on what. */
  readonly introduction: readonly string[];
  /** The original first. */
  readonly variants: readonly ComparedVariant[];
  readonly samples: readonly Sample[];
}

/** What an origin is called in tables and legends. */
export const originTitles: Readonly<Record<Origin, string>> = {
  original: "original",
  computed: "after training",
  trained: "trained here",
  shipped: "shipped",
};

/** Mean over tasks of the accuracy above chance; null without tasks. */
export function meanAboveChance(tasks: readonly TaskScore[]): number | null {
  if (tasks.length === 0) return null;
  return tasks.reduce((sum, task) => sum + task.accuracyAboveChance, 0) / tasks.length;
}
