import { figureName } from "../../evaluation/figure.ts";
import { figures } from "../../evaluation/figures.ts";
import type { QualityAnalysis } from "../../sweep/analysis/sweep-analysis.ts";
import type { PointResult, SweepResults } from "../../sweep/results/sweep-results.ts";
import { formatFigure } from "../format-figure.ts";
import type { Finding } from "./finding.ts";
import { joinWords, type PointNames } from "./point-names.ts";

/** Repetition this far above the original's is called a collapse, if the comparison decides it. */
const leastRise = 0.1;
/** Points that a sentence names. */
const mostNamed = 4;

/**
 * Says of each model which points cannot write any more: they repeat themselves far more than their
 * original does, whatever their perplexity and accuracy are.
 */
export function collapseFindings(
  quality: QualityAnalysis,
  results: SweepResults,
  names: PointNames,
): Finding[] {
  const generationOf = (id: string): PointResult["generation"] =>
    results.points.find(({ point }) => point.id === id)?.result?.generation;
  return quality.models.flatMap((model): Finding[] => {
    const collapsed = quality.againstOriginal
      .filter(({ a }) => names.point(a)?.model === model)
      .filter(({ difference }) => difference.verdict === "b" && difference.estimate >= leastRise)
      .sort((x, y) => y.difference.estimate - x.difference.estimate);
    const [first] = collapsed;
    const original = first && generationOf(first.b);
    if (!first || !original) return [];
    const named = collapsed.slice(0, mostNamed).flatMap(({ a }) => {
      const generation = generationOf(a);
      return generation ? [`${names.point(a)?.label ?? a} ${figuresOf(generation)}`] : [];
    });
    const rest = collapsed.length - named.length;
    if (rest > 0) named.push(`${rest} more`);
    const several = quality.models.length > 1 ? ` of ${names.model(model)}` : "";
    const text =
      `What they write${several} repeats itself far more than what the original writes ` +
      `(${figureName(figures.repetition)} ${figuresOf(original)}): ${joinWords(named)}.`;
    const points = collapsed.map(({ a }) => a);
    return [{ kind: "collapse", text, quality: quality.id, points }];
  });
}

/** `62.1 %, 9 of 20 in a loop`. */
function figuresOf(generation: NonNullable<PointResult["generation"]>): string {
  const { continuations, repetition } = generation;
  const loops = continuations.filter(({ loop }) => loop !== null).length;
  const share = formatFigure(figures.repetition, repetition.mean);
  return `${share}, ${loops} of ${continuations.length} in a loop`;
}
