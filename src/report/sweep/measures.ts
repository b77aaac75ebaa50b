import type { Interval } from "../../evaluation/statistics/interval.ts";
import type { Difference } from "../../evaluation/statistics/paired-comparison.ts";
import {
  formatBits,
  formatBytes,
  formatDuration,
  formatNumber,
  formatPercentage,
} from "../format.ts";
import type {
  PointFigure,
  QualityAnalysis,
  SweepAnalysis,
} from "../../sweep/analysis/sweep-analysis.ts";
import type { SweepRow } from "./sweep-row.ts";

/** Something that is known of each point, and that an axis may show. */
export interface Measure {
  /** Name in the page and in files: `size`, `perplexity:test.txt`. */
  readonly id: string;
  readonly title: string;
  /** The title in a word or two, for headlines. */
  readonly short: string;
  readonly role: "cost" | "quality";
  readonly scale: "linear" | "logarithmic";
  readonly better: "higher" | "lower";
  /** Null where a point has no such figure. */
  readonly value: (row: SweepRow) => number | null;
  readonly interval: (row: SweepRow) => Interval | null;
  readonly format: (value: number) => string;
}

const noInterval = (): null => null;

const costs: readonly Measure[] = [
  {
    id: "size",
    title: "size of the weight file",
    short: "size",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.sizeBytes ?? null,
    interval: noInterval,
    format: formatBytes,
  },
  {
    id: "linear-size",
    title: "size of the linear layers",
    short: "size of the linear layers",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.linearBytes ?? null,
    interval: noInterval,
    format: formatBytes,
  },
  {
    id: "bits",
    title: "bits a weight, linear layers",
    short: "bits a weight",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.bitsPerWeight.linear ?? null,
    interval: noInterval,
    format: formatBits,
  },
  {
    id: "file-bits",
    title: "bits a weight, whole file",
    short: "bits a weight of the file",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.bitsPerWeight.file ?? null,
    interval: noInterval,
    format: formatBits,
  },
  {
    id: "speed",
    title: "decode speed, tokens a second",
    short: "decode speed",
    role: "cost",
    scale: "logarithmic",
    better: "higher",
    value: ({ result }) => result?.tokensPerSecond ?? null,
    interval: noInterval,
    format: (value) => formatNumber(value),
  },
  {
    id: "time",
    title: "time to make it",
    short: "time to make it",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.makeMs ?? null,
    interval: noInterval,
    format: formatDuration,
  },
  {
    id: "memory",
    title: "peak memory of making it",
    short: "memory to make it",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.peakMemoryBytes ?? null,
    interval: noInterval,
    format: formatBytes,
  },
];

/**
 * All measures that at least one of the rows has a figure for: costs from the records, qualities
 * from their analysis, those first that the analysis has first.
 */
export function measuresOf(rows: readonly SweepRow[], { qualities }: SweepAnalysis): Measure[] {
  const ids = [...new Set(qualities.map(({ id }) => id))];
  const texts = new Set(qualities.filter(({ kind }) => kind === "perplexity").map(subjectOf));
  const measures = ids.flatMap((id) => {
    // Models with other tokens have an analysis of their own under the same id.
    const groups = qualities.filter((quality) => quality.id === id);
    const [first] = groups;
    if (!first) return [];
    const of = first.kind !== "accuracy" && texts.size > 1 ? ` on ${first.subject}` : "";
    const measure = qualityMeasure(first, groups, of);
    return first.kind === "perplexity" ? [measure, lossMeasure(first, groups, of)] : [measure];
  });
  return [...costs, ...measures].filter(({ value }) => rows.some((row) => value(row) !== null));
}

function subjectOf({ subject }: QualityAnalysis): string {
  return subject;
}

function qualityMeasure(
  { id, kind, subject, better }: QualityAnalysis,
  groups: readonly QualityAnalysis[],
  of: string,
): Measure {
  const figures = new Map(
    groups.flatMap(({ points }) => points.map((figure) => [figure.id, figure] as const)),
  );
  const figureOf = ({ record }: SweepRow): PointFigure | undefined => figures.get(record.point.id);
  return {
    id,
    ...titlesOf(id, kind, subject, of),
    role: "quality",
    scale: kind === "accuracy" ? "linear" : "logarithmic",
    better,
    value: (row) => figureOf(row)?.value ?? null,
    interval: (row) => figureOf(row)?.interval ?? null,
    format: formats[kind],
  };
}

const formats: Readonly<Record<QualityAnalysis["kind"], (value: number) => string>> = {
  perplexity: (value) => formatNumber(value),
  divergence: (value) => formatNumber(value, 2),
  accuracy: formatPercentage,
};

function titlesOf(
  id: string,
  kind: QualityAnalysis["kind"],
  subject: string,
  of: string,
): Pick<Measure, "title" | "short"> {
  if (kind === "perplexity") return { title: `perplexity${of}`, short: "perplexity" };
  if (kind === "divergence") {
    return { title: `KL divergence${of}, nats a token`, short: "KL divergence" };
  }
  if (!id.startsWith("average:"))
    return { title: `accuracy, ${subject}`, short: `accuracy, ${subject}` };
  const title = subject === "tasks" ? "mean accuracy of all tasks" : `accuracy, average ${subject}`;
  return { title, short: title };
}

/** How much worse than the original: logarithm of the ratio of perplexities. */
function lossMeasure(
  { subject }: QualityAnalysis,
  groups: readonly QualityAnalysis[],
  of: string,
): Measure {
  const differences = new Map(
    groups.flatMap(({ againstOriginal }) =>
      againstOriginal.map(({ a, difference }) => [a, difference] as const),
    ),
  );
  const find = ({ record }: SweepRow): Difference | undefined => differences.get(record.point.id);
  return {
    id: `loss:${subject}`,
    title: `loss above the original${of}, nats a token`,
    short: "loss above the original",
    role: "quality",
    scale: "linear",
    better: "lower",
    value: (row) => find(row)?.estimate ?? null,
    interval: (row) => find(row)?.interval ?? null,
    format: (value) => formatNumber(value),
  };
}
