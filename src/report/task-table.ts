import { figures } from "../evaluation/figures.ts";
import { meanScore, type NamedAverage } from "../evaluation/tasks/averages.ts";
import type { TaskScore } from "../evaluation/tasks/task.ts";
import { figureColumns } from "./figure-columns.ts";
import { figureText } from "./format-figure.ts";
import type { Layout } from "./style.ts";
import { type Column, formatTable } from "./table.ts";

/** Tasks, and the averages that they make up. */
export interface ShownScores {
  readonly tasks: readonly TaskScore[];
  readonly averages: readonly NamedAverage[];
}

/** What one row shows. */
interface Row {
  readonly name: string;
  readonly shots: number;
  readonly items: string;
  /** What its figures are read from. */
  readonly measured: unknown;
}

/** A column, and how a row fills it; null where it has nothing for it. */
type RowColumn = Column & { readonly cell: (row: Row) => string | null };

const firstColumns: readonly RowColumn[] = [
  { header: "task", minWidth: 14, cell: ({ name }) => name },
  {
    header: "shots",
    align: "right",
    dropOrder: 5,
    cell: ({ shots }) => (shots > 0 ? String(shots) : null),
  },
  { header: "items", align: "right", dropOrder: 4, cell: ({ items }) => items },
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
  const used: readonly RowColumn[] = [
    ...firstColumns.filter((column) => rows.some((row) => column.cell(row) !== null)),
    ...figureColumns<Row>("tasks", rows, () => [{ of: ({ measured }) => measured }], "error"),
  ];
  const shown: Column[] = beside
    ? [...used, { header: "original", align: "right", dropOrder: 1 }]
    : [...used];
  const cells = rows.map((row, index) => [
    ...used.map((column) => column.cell(row) ?? "–"),
    ...(beside ? [mainFigure(beside[index]?.measured) ?? "–"] : []),
  ]);
  return formatTable(shown, cells, layout);
}

function rowsOf({ tasks, averages }: ShownScores): Row[] {
  const rows = tasks.map(taskRow);
  const summary = (name: string, measured: unknown): Row => ({
    name,
    shots: 0,
    items: "",
    measured,
  });
  if (averages.length > 0) {
    return [...rows, ...averages.map((average) => summary(average.name, averageFigures(average)))];
  }
  return tasks.length > 1 ? [...rows, summary("mean", meanScore(tasks))] : rows;
}

function taskRow(task: TaskScore): Row {
  const { name, shots, limited, items } = task;
  return { name, shots, items: limited ? `first ${items}` : String(items), measured: task };
}

/** An average stands in the column of the accuracy that it is made of. */
function averageFigures({ measure, accuracy, ...rest }: NamedAverage): unknown {
  return { ...rest, [measure]: accuracy };
}

/** The figure an original is compared by: accuracy, or what an average is made of. */
function mainFigure(measured: unknown): string | null {
  return (
    figureText(figures.accuracy, measured) ?? figureText(figures["normalized-accuracy"], measured)
  );
}
