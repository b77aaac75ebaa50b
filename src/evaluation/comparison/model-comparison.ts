import type {
  EvaluationProgress,
  MeasureOptions,
  ModelSizes,
  TaskSelection,
} from "../evaluation.ts";
import type { GenerateChoice } from "../generation/generation.ts";
import type { QualityKind } from "../figures.ts";
import type { Interval } from "../statistics/interval.ts";
import type { Better, Difference } from "../statistics/paired-comparison.ts";
import type { WindowChoice } from "../open-windows.ts";

/** On what two models are compared: a text, tasks, prompts. */
export interface CompareOptions<Model>
  extends MeasureOptions<Model>,
    Omit<TaskSelection, "samples">,
    Partial<WindowChoice> {
  /** Prompts that both models continue, and the original (`against`), if there is one. */
  readonly generate?: GenerateChoice | undefined;
  /** Called before a model is measured, with its name. */
  readonly onModel?: (name: string) => void;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

/** A model as a comparison names it. */
export interface ComparedModel extends Omit<ModelSizes, "linearBytes"> {
  readonly model: string;
}

/** One figure of both models, and which is better as far as the data say. */
export interface ComparedFigure {
  readonly kind: QualityKind;
  /**
   * What it was measured on: a text's path, a task, an average, `tasks` for the mean of all, or
   * `continuations`.
   */
  readonly subject: string;
  /** For a task `acc`, or `acc_norm`; null otherwise. */
  readonly measure: "acc" | "acc_norm" | null;
  readonly better: Better;
  readonly a: FigureWithInterval;
  readonly b: FigureWithInterval;
  /**
   * `a − b`: of mean losses in nats for a perplexity (`exp` of it is the ratio of perplexities), of
   * the figures themselves otherwise. The p value is corrected for all figures of the comparison.
   */
  readonly difference: Difference;
}

/** A figure and its 95 % interval. */
export interface FigureWithInterval {
  readonly value: number;
  readonly interval: Interval;
}

/** Two models on the same windows, items and prompts. */
export interface ModelComparison {
  readonly a: ComparedModel;
  readonly b: ComparedModel;
  /** The original that divergences are from; null without one. */
  readonly original: string | null;
  /**
   * KL(b ‖ a) in nats a token, how far the one moved from the other, where no original was given;
   * null without a text, and for other vocabularies.
   */
  readonly divergence: FigureWithInterval | null;
  /** Windows of the text; 0 without one. */
  readonly windows: number;
  /**
   * The shorter context of the two, where windows are longer: on positions from there on the model
   * was never trained.
   */
  readonly beyondContext?: number;
  /** Items of all tasks. */
  readonly items: number;
  /** Prompts that were continued. */
  readonly prompts: number;
  readonly figures: readonly ComparedFigure[];
  readonly elapsedMs: number;
}
