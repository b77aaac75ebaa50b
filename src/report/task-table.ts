import type { TaskScore } from "../evaluation/tasks/task.ts";
import { formatPercentage } from "./format.ts";
import type { Layout } from "./style.ts";
import { type Column, formatTable } from "./table.ts";

const columns: readonly Column[] = [
  { header: "task", minWidth: 12 },
  { header: "items", align: "right", dropOrder: 4 },
  { header: "chance", align: "right", dropOrder: 2 },
  { header: "accuracy", align: "right" },
  { header: "by length", align: "right", dropOrder: 3 },
  { header: "above chance", align: "right", dropOrder: 1 },
];

/** Lays out one row a task, and the mean below several; with an original its accuracy beside. */
export function formatTaskTable(
  tasks: readonly TaskScore[],
  original: readonly TaskScore[] | null,
  layout: Layout,
): string[] {
  const shown: Column[] = original
    ? [...columns, { header: "original", align: "right", dropOrder: 1 }]
    : [...columns];
  const rows = tasks.map((task, index) => [
    task.name,
    String(task.items),
    formatPercentage(task.chance),
    formatAccuracy(task.accuracy),
    task.normalizedAccuracy ? formatPercentage(task.normalizedAccuracy.mean) : "–",
    formatPercentage(task.accuracyAboveChance),
    ...(original ? [formatPercentage(original[index]?.accuracy.mean ?? 0)] : []),
  ]);
  if (tasks.length > 1) rows.push(meanRow(tasks, original));
  return formatTable(shown, rows, layout);
}

function meanRow(tasks: readonly TaskScore[], original: readonly TaskScore[] | null): string[] {
  const mean = (scores: readonly TaskScore[], of: (task: TaskScore) => number): string =>
    formatPercentage(scores.reduce((sum, task) => sum + of(task), 0) / scores.length);
  return [
    "mean",
    "",
    mean(tasks, (task) => task.chance),
    mean(tasks, (task) => task.accuracy.mean),
    tasks.every((task) => task.normalizedAccuracy)
      ? mean(tasks, (task) => task.normalizedAccuracy?.mean ?? 0)
      : "–",
    mean(tasks, (task) => task.accuracyAboveChance),
    ...(original ? [mean(original, (task) => task.accuracy.mean)] : []),
  ];
}

/** Formats an accuracy with its standard error: `81.0 ± 3.9 %`. */
function formatAccuracy({ mean, standardError }: TaskScore["accuracy"]): string {
  return `${(100 * mean).toFixed(1)} ± ${(100 * standardError).toFixed(1)} %`;
}
