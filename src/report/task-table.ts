import { meanOfTasks, type NamedAverage } from "../evaluation/tasks/averages.ts";
import type { Accuracy, TaskScore } from "../evaluation/tasks/task.ts";
import { formatNumber, formatPercentage } from "./format.ts";
import type { Layout } from "./style.ts";
import { type Column, formatTable } from "./table.ts";

/** Tasks, and the averages that they make up. */
export interface ShownScores {
  readonly tasks: readonly TaskScore[];
  readonly averages: readonly NamedAverage[];
}

/** What one row shows; null where it has no figure. */
interface Row {
  readonly name: string;
  readonly shots: number;
  readonly items: string;
  readonly chance: number | null;
  readonly accuracy: Accuracy | null;
  readonly normalizedAccuracy: Accuracy | null;
  readonly perplexity: Accuracy | null;
  readonly aboveChance: number;
}

/** A column, and how a row fills it; null where it has no figure. */
type RowColumn = Column & { readonly cell: (row: Row) => string | null };

const columns: readonly RowColumn[] = [
  { header: "task", minWidth: 14, cell: ({ name }) => name },
  {
    header: "shots",
    align: "right",
    dropOrder: 5,
    cell: ({ shots }) => (shots > 0 ? String(shots) : null),
  },
  { header: "items", align: "right", dropOrder: 4, cell: ({ items }) => items },
  {
    header: "chance",
    align: "right",
    dropOrder: 3,
    cell: ({ chance }) => (chance === null ? null : formatPercentage(chance)),
  },
  { header: "accuracy", align: "right", cell: ({ accuracy }) => formatAccuracy(accuracy) },
  {
    header: "by length",
    align: "right",
    cell: ({ normalizedAccuracy }) => formatAccuracy(normalizedAccuracy),
  },
  {
    header: "above chance",
    align: "right",
    dropOrder: 1,
    cell: ({ aboveChance }) => formatPercentage(aboveChance),
  },
  {
    header: "perplexity",
    align: "right",
    dropOrder: 2,
    cell: ({ perplexity }) => (perplexity ? formatNumber(perplexity.mean) : null),
  },
];

/**
 * Lays out one row a task, and below them the named averages that the tasks make up, or the mean of
 * several tasks when they make up none; with an original its figures beside. Columns that no row
 * fills are left out.
 */
export function formatTaskTable(
  scores: ShownScores,
  original: ShownScores | null,
  layout: Layout,
): string[] {
  const rows = rowsOf(scores);
  const beside = original && rowsOf(original);
  const used = columns.filter((column) => rows.some((row) => column.cell(row) !== null));
  const shown: Column[] = beside
    ? [...used, { header: "original", align: "right", dropOrder: 1 }]
    : [...used];
  const cells = rows.map((row, index) => [
    ...used.map((column) => column.cell(row) ?? "–"),
    ...(beside ? [formatMain(beside[index])] : []),
  ]);
  return formatTable(shown, cells, layout);
}

function rowsOf({ tasks, averages }: ShownScores): Row[] {
  const rows = tasks.map(taskRow);
  if (averages.length > 0) return [...rows, ...averages.map(averageRow)];
  return tasks.length > 1 ? [...rows, meanRow(tasks)] : rows;
}

function taskRow(task: TaskScore): Row {
  const { limited, items, accuracyAboveChance: aboveChance } = task;
  return {
    ...task,
    items: limited ? `first ${items}` : String(items),
    aboveChance,
  };
}

/** An average stands in the column of the accuracy that it is made of. */
function averageRow({ name, measure, accuracy, accuracyAboveChance }: NamedAverage): Row {
  return {
    name,
    shots: 0,
    items: "",
    chance: null,
    accuracy: measure === "accuracy" ? accuracy : null,
    normalizedAccuracy: measure === "normalizedAccuracy" ? accuracy : null,
    perplexity: null,
    aboveChance: accuracyAboveChance,
  };
}

function meanRow(tasks: readonly TaskScore[]): Row {
  const { accuracy, accuracyAboveChance } = meanOfTasks(tasks, "accuracy");
  const normalized = tasks.every((task) => task.normalizedAccuracy);
  return {
    name: "mean",
    shots: 0,
    items: "",
    chance: tasks.reduce((sum, task) => sum + task.chance, 0) / tasks.length,
    accuracy,
    normalizedAccuracy: normalized ? meanOfTasks(tasks, "normalizedAccuracy").accuracy : null,
    perplexity: null,
    aboveChance: accuracyAboveChance,
  };
}

/** The figure an original is compared by: accuracy, or what an average is made of. */
function formatMain(row: Row | undefined): string {
  const accuracy = row?.accuracy ?? row?.normalizedAccuracy;
  return accuracy ? formatPercentage(accuracy.mean) : "–";
}

/** Formats an accuracy with its standard error: `81.0 ± 3.9 %`; null for none. */
function formatAccuracy(accuracy: Accuracy | null): string | null {
  if (!accuracy) return null;
  return `${(100 * accuracy.mean).toFixed(1)} ± ${(100 * accuracy.standardError).toFixed(1)} %`;
}
