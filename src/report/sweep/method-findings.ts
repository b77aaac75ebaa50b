import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import { describeDifference, describeRange } from "../describe-difference.ts";
import { divergenceClause } from "./divergence-clause.ts";
import type { Finding } from "./finding.ts";
import { bitsNoun, joinWords, type PointNames, qualityNoun } from "./point-names.ts";
import type {
  Contest,
  PairDifference,
  QualityAnalysis,
} from "../../sweep/analysis/sweep-analysis.ts";

/** Says for each bit-width, 2 and its neighbours first, which method and scheme is best. */
export function methodFindings(quality: QualityAnalysis, names: PointNames): Finding[] {
  const contested = quality.contests.filter(({ points }) => points.length > 1);
  const widths = [...new Set(contested.map(({ bits }) => bits))].sort(
    (a, b) => Math.abs(a - 2) - Math.abs(b - 2),
  );
  return widths.map((bits) => {
    const contests = contested.filter((contest) => contest.bits === bits);
    return {
      kind: "method",
      text: `At ${bitsNoun(bits)} ${methodSentence(contests, names, qualityNoun(quality))}.`,
      quality: quality.id,
      points: contests.flatMap(({ points }) => points),
    };
  });
}

function methodSentence(contests: readonly Contest[], names: PointNames, noun: string): string {
  const labelOf = (id: string | undefined): string => names.point(id ?? "")?.label ?? "";
  const winners = contests.map(({ points }) => labelOf(points[0]));
  const wins = (label: string): number => winners.filter((winner) => winner === label).length;
  const [leader = ""] = [...new Set(winners)].sort((a, b) => wins(b) - wins(a));
  const won = contests.filter(({ points }) => labelOf(points[0]) === leader);
  const rivals = [...new Set(won.flatMap(({ tied }) => tied.map(labelOf)))];
  const clear = won.filter(({ tied }) => tied.length === 0).length;
  const many = contests.length > 1;
  const where = !many
    ? ""
    : won.length === contests.length
      ? ` on all ${contests.length} models`
      : ` on ${won.length} of ${contests.length} models`;
  const opening = `${leader} has the best ${noun}${where}`;
  if (clear === won.length) return `${opening}, ahead of all others there`;
  const apart = many ? `; on ${won.length - clear} of them it` : "; it";
  return `${opening}${apart} cannot be told apart from ${joinWords(rivals)}`;
}

/** Says what the best method of each bit-width costs against the original, the most bits first. */
export function costFindings(
  quality: QualityAnalysis,
  results: SweepResults,
  names: PointNames,
): Finding[] {
  const leaders = new Set(leadersOf(quality));
  const order = new Map(quality.models.map((model, index) => [model, index]));
  const ofModel = ({ a }: PairDifference): number => order.get(names.point(a)?.model ?? "") ?? 0;
  const found = quality.againstOriginal
    .filter(({ a }) => leaders.has(a))
    .sort((x, y) => ofModel(x) - ofModel(y));
  const bitsOf = ({ a }: PairDifference): number => names.point(a)?.bits ?? 0;
  const widths = [...new Set(found.map(bitsOf))].sort((a, b) => b - a);
  const several = new Set(results.points.map(({ point }) => point.model)).size > 1;
  return widths.map((bits) => {
    const own = found.filter((pair) => bitsOf(pair) === bits);
    const ends = own.length > 2 ? [own[0], own.at(-1)] : own;
    const parts = ends.flatMap((pair) =>
      pair ? [costClause(quality, pair, results, { names, several })] : [],
    );
    return {
      kind: "cost",
      text:
        `Against the original, ${qualityNoun(quality)} at ${bitsNoun(bits)} ` +
        `${joinWords(parts)}.`,
      quality: quality.id,
      points: own.map(({ a }) => a),
    };
  });
}

/** The best point of each model at each bit-width. */
function leadersOf({ contests }: QualityAnalysis): string[] {
  return contests.flatMap(({ points }) => points.slice(0, 1));
}

/** What is better than the original moved away from it, and the sentence says how far. */
function costClause(
  { kind, subject }: QualityAnalysis,
  { a, difference }: PairDifference,
  results: SweepResults,
  { names, several }: { readonly names: PointNames; readonly several: boolean },
): string {
  const point = names.point(a);
  const which = point ? `${several ? `${names.model(point.model)}, ` : ""}${point.label}` : a;
  if (difference.verdict === "undecided") {
    return `cannot be told apart (${which}: ${describeRange(kind, difference)})`;
  }
  const moved = difference.verdict === "a" ? `; ${divergenceClause(results, a, subject)}` : "";
  return `is ${describeDifference(kind, difference)} (${which}${moved})`;
}
