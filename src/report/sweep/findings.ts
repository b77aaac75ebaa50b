import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import { formatPlural } from "../format.ts";
import { analyze } from "../../sweep/analysis/analyze-sweep.ts";
import { collapseFindings } from "./collapse-findings.ts";
import type { Finding } from "./finding.ts";
import { costFindings, methodFindings } from "./method-findings.ts";
import {
  crossoverFindings,
  neighbourFindings,
  scalingFindings,
  sizesDisagree,
  worthFindings,
} from "./size-findings.ts";
import { joinWords, type PointNames, pointNames } from "./point-names.ts";
import type { QualityAnalysis, SweepAnalysis } from "../../sweep/analysis/sweep-analysis.ts";

/**
 * Says in sentences what a sweep found, the most important first: bit-widths at equal size, models
 * of about equal size, the best method at each bit-width, what each bit-width costs, the fitted
 * curves, what cannot write any more, and what all this leaves open. "Better" is said only where the paired comparison,
 * corrected for all questions of its kind, says so.
 */
export function findingsOf(
  results: SweepResults,
  analysis: SweepAnalysis = analyze(results),
): Finding[] {
  const names = pointNames(results);
  const first = (kind: QualityAnalysis["kind"], prefix = ""): QualityAnalysis[] =>
    analysis.qualities
      .filter((quality) => quality.kind === kind && quality.id.startsWith(prefix))
      .slice(0, 1);
  const main = [...first("perplexity"), ...first("accuracy", "average:")];
  if (main.length === 0) main.push(...first("accuracy"));
  const leading = main.slice(0, 1);
  const groups = [
    main.flatMap(crossoverFindings),
    leading.flatMap((quality) => neighbourFindings(quality, results, names)),
    leading.flatMap((quality) => methodFindings(quality, names)),
    main.flatMap((quality) => costFindings(quality, results, names)),
    leading.flatMap((quality) => worthFindings(quality, results, names)),
    leading.flatMap(scalingFindings),
  ];
  // A reader of three sentences should get one of each kind, and both sides where sizes can be
  // meant in two ways.
  const [crossings = [], ...rest] = groups.slice(0, 4);
  const leads = [
    ...crossings.slice(0, leading.some(sizesDisagree) ? 2 : 1),
    ...rest.flatMap((group) => group.slice(0, 1)),
  ];
  // Whoever reads three sentences must see it, whatever the other figures say.
  const collapses = analysis.qualities
    .filter(({ kind }) => kind === "repetition")
    .flatMap((quality) => collapseFindings(quality, results, names));
  leads.splice(2, 0, ...collapses);
  const others = groups.flat().filter((finding) => !leads.includes(finding));
  const apart = analysis.qualities.filter(({ id }) => id === leading[0]?.id).slice(1);
  return [
    ...leads,
    ...others,
    ...tokenCaveats(leading, apart, names),
    ...caveats(results, leading),
  ];
}

/** Models that were asked other questions than most: no sentence and no line joins them. */
function tokenCaveats(
  [quality]: readonly QualityAnalysis[],
  apart: readonly QualityAnalysis[],
  names: PointNames,
): Finding[] {
  const models = [...new Set(apart.flatMap((other) => other.models))];
  if (!quality || quality.kind !== "perplexity" || models.length === 0) return [];
  const who = joinWords(models.map(names.model));
  const text =
    `${who} ${models.length === 1 ? "cuts" : "cut"} ${quality.subject} into other tokens or ` +
    "windows than the others: perplexities are held against those of the same tokens only.";
  const points = apart.flatMap((other) => other.points.map(({ id }) => id));
  return [{ kind: "caveat", text, quality: quality.id, points }];
}

function caveats({ points }: SweepResults, [quality]: readonly QualityAnalysis[]): Finding[] {
  const finding = (text: string): Finding => ({ kind: "caveat", text, quality: null, points: [] });
  const failed = points.filter(({ status }) => status === "failed");
  const open = points.filter(({ status }) => status === "waiting" || status === "running");
  const found: Finding[] = [];
  if (failed.length > 0) {
    found.push({
      ...finding(
        `${formatPlural(failed.length, "point")} of ${points.length} failed; no sentence speaks ` +
          "of them.",
      ),
      points: failed.map(({ point }) => point.id),
    });
  }
  if (open.length > 0) {
    found.push(
      finding(`${formatPlural(open.length, "point")} of ${points.length} are not done yet.`),
    );
  }
  if (quality) {
    const unit = quality.kind === "accuracy" ? "items of the tasks" : "windows of the text";
    found.push(
      finding(
        `Intervals are over the ${unit}, 95 %: how much another text of the kind would change. ` +
          "How much another seed of a training would change they do not say.",
      ),
    );
  }
  return found;
}
