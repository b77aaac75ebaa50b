import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import { printable } from "../format.ts";
import type { Layout } from "../style.ts";

/** Says of each failed point why it failed; empty without any. */
export function formatFailures({ points }: SweepResults, layout: Layout): string[] {
  return points.flatMap(({ point, error, status }) => {
    if (status !== "failed" || !error) return [];
    const label = layout.style("failed", "failure");
    const name = `${printable(point.model)} ${printable(point.label)}`;
    const hint = error.hint ? [`          ${printable(error.hint)}`] : [];
    return [`  ${label}  ${name}: ${printable(error.message)}`, ...hint];
  });
}
