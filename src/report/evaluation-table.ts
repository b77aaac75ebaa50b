import type { Evaluation, TaskEvaluation } from "../evaluation/evaluation.ts";
import { readFigure } from "../evaluation/figure.ts";
import { figures } from "../evaluation/figures.ts";
import { meanScore } from "../evaluation/tasks/averages.ts";
import { figureColumns } from "./figure-columns.ts";
import { modelName } from "./model-name.ts";
import type { Layout } from "./style.ts";
import { formatTable } from "./table.ts";

/** A variant of a model, and what its figures are read from. */
export interface MeasuredVariant {
  readonly variant: string;
  readonly measured: unknown;
}

/** Makes the variant that was evaluated, and its original; null where there was none. */
export function variantsOf(evaluation: Evaluation | TaskEvaluation): {
  readonly variant: MeasuredVariant;
  readonly original: MeasuredVariant | null;
} {
  const { original } = evaluation;
  return { variant: variantOf(evaluation), original: original && variantOf(original) };
}

/** Of the tasks, the mean accuracy is shown. */
function variantOf(evaluation: Pick<TaskEvaluation, "model" | "tasks">): MeasuredVariant {
  const { model, tasks } = evaluation;
  const accuracy = tasks.length > 0 ? { mean: meanScore(tasks).accuracy.mean } : null;
  return { variant: modelName(model), measured: { ...evaluation, accuracy } };
}

/**
 * Lays out one row a variant, the original first and the others by size; columns that no variant
 * has a figure for are left out.
 */
export function formatEvaluationTable(
  original: MeasuredVariant | null,
  variants: readonly MeasuredVariant[],
  layout: Layout,
): string[] {
  const sizeOf = ({ measured }: MeasuredVariant): number => readFigure(figures.size, measured) ?? 0;
  const bySize = [...variants].sort((a, b) => sizeOf(b) - sizeOf(a));
  const rows = original ? [original, ...bySize] : bySize;
  const columns = figureColumns("evaluation", rows, () => [{ of: ({ measured }) => measured }]);
  return formatTable(
    [{ header: "variant", minWidth: 20, keep: "end" }, ...columns],
    rows.map((row) => [row.variant, ...columns.map(({ cell }) => cell(row) ?? "–")]),
    layout,
  );
}
