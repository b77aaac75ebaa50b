import { figureName } from "../evaluation/figure.ts";
import { qualities } from "../evaluation/figures.ts";
import type { ComparedFigure, ModelComparison } from "../evaluation/comparison/model-comparison.ts";
import { halfWidth, usualLevel } from "../evaluation/statistics/interval.ts";
import { describeDifference, describeRange } from "./describe-difference.ts";
import { describeBeyond } from "./describe-beyond.ts";
import { formatSpread } from "./format-figure.ts";
import { formatPlural, printable } from "./format.ts";
import { modelName } from "./model-name.ts";
import { joinWords } from "./sweep/point-names.ts";
import type { Layout } from "./style.ts";
import { type Cell, formatTable } from "./table.ts";

/** What the two models are called: their names, or A and B where those are the same. */
interface Names {
  readonly a: string;
  readonly b: string;
}

/** Lays out a row a figure: both values with half their intervals, and who is better. */
export function formatComparedFigures(comparison: ModelComparison, layout: Layout): string[] {
  const names = namesOf(comparison);
  return formatTable(
    [
      { header: "figure", minWidth: 16, keep: "end" },
      { header: names.a, align: "right", minWidth: 12, keep: "end" },
      { header: names.b, align: "right", minWidth: 12, keep: "end" },
      { header: "p", align: "right", dropOrder: 1 },
      { header: "better", minWidth: 12, keep: "end" },
    ],
    comparison.figures.map((figure): Cell[] => [
      printable(titleOf(figure)),
      formatSpread(qualities[figure.kind], figure.a.value, halfWidth(figure.a.interval)),
      formatSpread(qualities[figure.kind], figure.b.value, halfWidth(figure.b.interval)),
      formatP(figure.difference.pValue),
      verdictCell(figure, names),
    ]),
    layout,
  );
}

/** Says of each figure what the data support, and below what the verdicts mean. */
export function describeComparison(comparison: ModelComparison): string[] {
  const names = namesOf(comparison);
  const { figures, windows, items, prompts, beyondContext } = comparison;
  const units = [
    ...(windows > 0 ? [formatPlural(windows, "window")] : []),
    ...(items > 0 ? [formatPlural(items, "item")] : []),
    ...(prompts > 0 ? [formatPlural(prompts, "prompt")] : []),
  ];
  const family =
    figures.length > 1 ? `, p values corrected for ${figures.length} figures (Holm)` : "";
  return [
    ...figures.map((figure) =>
      printable(sentenceOf(figure, names) + divergenceClause(figure, comparison, names)),
    ),
    ...(beyondContext === undefined ? [] : [`windows ${describeBeyond(beyondContext)}`]),
    `95 % intervals and p values by paired bootstrap over ${joinWords(units)}${family}`,
  ];
}

function sentenceOf(figure: ComparedFigure, { a, b }: Names): string {
  const { kind, difference } = figure;
  const title = titleOf(figure);
  if (figure.a.value === figure.b.value && difference.estimate === 0) {
    return `${title}: the same`;
  }
  if (difference.verdict === "undecided") {
    return `${title}: not decided; ${a} is ${describeRange(kind, difference)} from ${b}`;
  }
  const [better, other] = difference.verdict === "a" ? [a, b] : [b, a];
  const turned = difference.verdict === "a" ? difference : turnAround(difference);
  return `${title}: ${better} is better, ${describeDifference(kind, turned)} than ${other}`;
}

/** How far the two are apart, beside what says which is better: one may be made from the other. */
function divergenceClause(
  { kind }: ComparedFigure,
  { divergence }: ModelComparison,
  { a, b }: Names,
): string {
  if (kind !== "perplexity" || !divergence) return "";
  const { value, interval } = divergence;
  const figure = qualities.divergence;
  const spread = formatSpread(figure, value, halfWidth(interval));
  return `; ${figureName(figure)} of ${a} from ${b} ${spread} nats a token`;
}

/** The difference `b − a`. */
function turnAround(difference: ComparedFigure["difference"]): ComparedFigure["difference"] {
  const { low, high, level } = difference.interval;
  return {
    ...difference,
    estimate: -difference.estimate,
    interval: { low: -high, high: -low, level },
  };
}

function verdictCell({ difference: { verdict } }: ComparedFigure, names: Names): Cell {
  if (verdict === "undecided") return { text: "not decided", tone: "dim" };
  return { text: names[verdict], tone: "accent" };
}

function titleOf({ kind, subject, measure }: ComparedFigure): string {
  if (kind !== "accuracy") return figureName(qualities[kind]);
  if (measure) return `${subject} ${measure}`;
  return subject === "tasks" ? "mean of the tasks" : `average ${subject}`;
}

function formatP(value: number): string {
  if (value < 1e-4) return "< 0.0001";
  return value.toFixed(value < 1 - usualLevel ? 4 : 2);
}

function namesOf({ a, b }: ModelComparison): Names {
  const [first, second] = [printable(modelName(a.model)), printable(modelName(b.model))];
  return first === second ? { a: "A", b: "B" } : { a: first, b: second };
}
