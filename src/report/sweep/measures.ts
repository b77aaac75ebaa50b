import { type Figure, figureName, readCostSpread, readFigure } from "../../evaluation/figure.ts";
import { allFigures, figures, qualities } from "../../evaluation/figures.ts";
import type { Interval } from "../../evaluation/statistics/interval.ts";
import type { QualityAnalysis, SweepAnalysis } from "../../sweep/analysis/sweep-analysis.ts";
import { formatFigure } from "../format-figure.ts";
import type { SweepRow } from "./sweep-row.ts";

/** Something that is known of each point, and that an axis may show. */
export interface Measure extends Pick<Figure, "scale" | "better"> {
  /** Name in the page and in files: `size`, `perplexity:test.txt`. */
  readonly id: string;
  readonly title: string;
  /** The title in a word or two, for headlines. */
  readonly short: string;
  readonly role: "cost" | "quality";
  /** Null where a point has no such figure. */
  readonly value: (row: SweepRow) => number | null;
  /** Its interval, or what a cost may really be. */
  readonly interval: (row: SweepRow) => Ends | null;
  /** Only points with the same key can be held against each other; null where all can. */
  readonly comparable: (row: SweepRow) => string | null;
  readonly format: (value: number) => string;
}

type Ends = Pick<Interval, "low" | "high">;

/** The value of a point, and its interval where there is one. */
interface Known {
  readonly value: number;
  readonly interval: Ends | null;
}

/**
 * All measures that at least one of the rows has a figure for: costs from the records, qualities
 * from their analysis, those first that the analysis has first.
 */
export function measuresOf(rows: readonly SweepRow[], analysis: SweepAnalysis): Measure[] {
  const ids = [...new Set(analysis.qualities.map(({ id }) => id))];
  const texts = new Set(
    analysis.qualities.flatMap(({ kind, subject }) => (kind === "perplexity" ? [subject] : [])),
  );
  const measures = ids.flatMap((id) => {
    // Models with other tokens have an analysis of their own under the same id.
    const groups = analysis.qualities.filter((quality) => quality.id === id);
    const [first] = groups;
    if (!first) return [];
    const ofText = qualities[first.kind].of === "text";
    const on = ofText && texts.size > 1 ? ` on ${first.subject}` : "";
    const measure = qualityMeasure(first, groups, on);
    return first.kind === "perplexity" ? [measure, lossMeasure(first, groups, on)] : [measure];
  });
  return [...allFigures.filter(({ cost }) => cost).map(costMeasure), ...measures].filter(
    ({ value }) => rows.some((row) => value(row) !== null),
  );
}

function measureOf(
  figure: Figure,
  named: Pick<Measure, "id" | "role"> & Partial<Pick<Measure, "title" | "short">>,
  find: (row: SweepRow) => Known | null | undefined,
  comparable: Measure["comparable"] = () => null,
): Measure {
  const { scale, better } = figure;
  return {
    title: titleOn(figure, ""),
    short: figureName(figure),
    ...named,
    scale,
    better,
    value: (row) => find(row)?.value ?? null,
    interval: (row) => find(row)?.interval ?? null,
    comparable,
    format: (value) => formatFigure(figure, value),
  };
}

function costMeasure(figure: Figure): Measure {
  return measureOf(figure, { id: figure.id, role: "cost" }, ({ result }) => {
    const value = readFigure(figure, result);
    return value === null ? null : { value, interval: readCostSpread(figure, result) };
  });
}

function qualityMeasure(
  { id, kind, subject }: QualityAnalysis,
  groups: readonly QualityAnalysis[],
  on: string,
): Measure {
  const known = new Map(
    groups.flatMap(({ points }) => points.map((point) => [point.id, point] as const)),
  );
  const figure = qualities[kind];
  const title = kind === "accuracy" ? accuracyTitle(id, subject) : titleOn(figure, on);
  const short = kind === "accuracy" ? title : figureName(figure);
  return measureOf(
    figure,
    { id, role: "quality", title, short },
    ({ record }) => known.get(record.point.id),
    groupOf(groups),
  );
}

/** The analysis that a point is in: those of one were measured on the same tokens or items. */
function groupOf(groups: readonly QualityAnalysis[]): Measure["comparable"] {
  const known = new Map(
    groups.flatMap(({ points }, index) => points.map(({ id }) => [id, String(index)] as const)),
  );
  return ({ record }) => known.get(record.point.id) ?? null;
}

/**
 * How much worse than the original: logarithm of the ratio of perplexities. Of two models it says
 * nothing, since their originals are others.
 */
function lossMeasure(
  { subject }: QualityAnalysis,
  groups: readonly QualityAnalysis[],
  on: string,
): Measure {
  const known = new Map(
    groups.flatMap(({ againstOriginal }) =>
      againstOriginal.map(({ a, difference }) => [a, difference] as const),
    ),
  );
  const named = { id: `${figures.loss.id}:${subject}`, title: titleOn(figures.loss, on) };
  return measureOf(
    figures.loss,
    { ...named, role: "quality" },
    ({ record }) => {
      const difference = known.get(record.point.id);
      return difference && { value: difference.estimate, interval: difference.interval };
    },
    ({ record }) => record.point.model,
  );
}

/** Title of a figure on one of several texts, with its unit. */
function titleOn({ title, unit }: Figure, on: string): string {
  return `${title}${on}${unit === undefined ? "" : `, ${unit}`}`;
}

function accuracyTitle(id: string, subject: string): string {
  if (!id.startsWith("average:")) return `accuracy, ${subject}`;
  return subject === "tasks" ? "mean accuracy of all tasks" : `accuracy, average ${subject}`;
}
