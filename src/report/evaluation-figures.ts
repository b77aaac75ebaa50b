import type { Evaluation, TaskEvaluation } from "../evaluation/evaluation.ts";
import { halfWidth } from "../evaluation/statistics/interval.ts";
import type { TaskScore } from "../evaluation/tasks/task.ts";
import type { VariantFigures } from "./evaluation-table.ts";
import { modelName } from "./model-name.ts";

/** Turns an evaluation into a row of the table, under a name for the variant. */
export function variantFigures(
  evaluation: Evaluation | TaskEvaluation,
  variant: string,
): VariantFigures {
  const { bitsPerWeight, sizeBytes, peakMemoryBytes, tasks } = evaluation;
  const onText = "text" in evaluation ? evaluation : null;
  return {
    variant,
    bitsPerWeight,
    sizeBytes,
    perplexity: onText && perplexityOf(onText),
    klDivergence: onText?.klDivergence?.mean ?? null,
    topTokenAgreement: onText?.topTokenAgreement ?? null,
    accuracy: meanAccuracy(tasks),
    tokensPerSecond: onText?.tokensPerSecond ?? null,
    peakMemoryBytes,
  };
}

/** The row of the original that an evaluation compared with; null when it compared with none. */
export function originalFigures({ original }: Evaluation | TaskEvaluation): VariantFigures | null {
  if (!original) return null;
  const { model, sizeBytes, bitsPerWeight, tasks } = original;
  return {
    variant: modelName(model),
    bitsPerWeight,
    sizeBytes,
    perplexity: "perplexity" in original ? perplexityOf(original) : null,
    klDivergence: null,
    topTokenAgreement: null,
    accuracy: meanAccuracy(tasks),
    tokensPerSecond: null,
    peakMemoryBytes: null,
  };
}

/** Mean accuracy over tasks, each counting the same; null without tasks. */
function meanAccuracy(tasks: readonly TaskScore[]): number | null {
  if (tasks.length === 0) return null;
  return tasks.reduce((sum, { accuracy }) => sum + accuracy.mean, 0) / tasks.length;
}

function perplexityOf({
  perplexity,
  interval,
}: Pick<Evaluation, "perplexity" | "interval">): VariantFigures["perplexity"] {
  return { value: perplexity, halfWidth: interval && halfWidth(interval) };
}
