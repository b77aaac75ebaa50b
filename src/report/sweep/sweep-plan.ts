import type { PlannedPoint, SweepPlan } from "../../sweep/sweep-events.ts";
import { baseName } from "../../platform/node.ts";
import {
  formatBytes,
  formatEstimate,
  formatEstimateRange,
  formatPlural,
  printable,
} from "../format.ts";
import { joinParts } from "../plan-summary.ts";
import type { Layout } from "../style.ts";
import { formatTable } from "../table.ts";
import { wrapText } from "../wrap-text.ts";

/** Says in a few lines what a sweep will do and what it needs. */
export function formatSweepPlan(plan: SweepPlan, layout: Layout): string[] {
  const { points, evaluation, estimate, formerPoints } = plan;
  const count = (status: PlannedPoint["status"]): number =>
    points.filter((point) => point.status === status).length;
  const models = new Set(points.map(({ point }) => point.model));
  const head = [
    printable(plan.name),
    `${formatPlural(points.length, "point")} of ${formatPlural(models.size, "model")}`,
    ...(count("done") > 0 ? [`${count("done")} done already`] : []),
    ...(count("failed") > 0 ? [`${count("failed")} failed before`] : []),
    ...(formerPoints > 0 ? [`${formerPoints} others in the database`] : []),
  ];
  const measured = [
    ...evaluation.texts.map((text) => printable(baseName(text))),
    ...(evaluation.tasks.length > 0 ? [formatPlural(evaluation.tasks.length, "task")] : []),
    ...(evaluation.prompts > 0 ? [formatPlural(evaluation.prompts, "prompt")] : []),
  ];
  const work = [
    `measured on ${measured.join(", ")}`,
    ...(evaluation.kl ? ["compared with the original"] : []),
    plan.backend,
    formatPlural(plan.threads, "thread"),
  ];
  const disk = plan.keep ? "writes" : "writes at a time";
  const needs =
    `  needs about ${formatBytes(estimate.memoryBytes)} memory, ` +
    `${formatEstimateRange(estimate.seconds)}, and ${disk} ${formatBytes(estimate.diskBytes)}`;
  return [
    ...joinParts(head, layout),
    ...joinParts(work, layout),
    count("done") === points.length ? "  nothing is left to do" : needs,
    ...cautionLines(points, layout),
  ];
}

/** What speaks against points, each sentence once, with the point or the number of points. */
function cautionLines(points: readonly PlannedPoint[], layout: Layout): string[] {
  const labels = new Map<string, string[]>();
  for (const { point, estimate } of points) {
    for (const caution of estimate?.cautions ?? []) {
      labels.set(caution, [...(labels.get(caution) ?? []), point.label]);
    }
  }
  return [...labels].flatMap(([caution, of]) => {
    const where = of.length === 1 ? printable(of[0]) : formatPlural(of.length, "point");
    return wrapText(`${where}: ${printable(caution)}`, layout.width);
  });
}

/** Lists the points of a plan with the estimated needs of each. */
export function formatPlannedPoints({ points }: SweepPlan, layout: Layout): string[] {
  return formatTable(
    [
      { header: "model" },
      { header: "variant", minWidth: 16, keep: "end" },
      { header: "status", dropOrder: 3 },
      { header: "make", align: "right" },
      { header: "measure", align: "right" },
      { header: "memory", align: "right", dropOrder: 1 },
      { header: "size", align: "right", dropOrder: 2 },
    ],
    points.map(({ point, status, estimate }) => [
      printable(point.model),
      printable(point.label),
      status,
      ...(estimate
        ? [
            estimate.outputBytes > 0 ? formatEstimate(estimate.makeSeconds) : "–",
            formatEstimate(estimate.measureSeconds),
            estimate.memoryBytes > 0 ? formatBytes(estimate.memoryBytes) : "–",
            estimate.outputBytes > 0 ? formatBytes(estimate.outputBytes) : "–",
          ]
        : ["–", "–", "–", "–"]),
    ]),
    layout,
  );
}
