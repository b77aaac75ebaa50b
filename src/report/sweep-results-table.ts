import type { PointRecord, SweepResults } from "../pipeline/sweep/sweep-results.ts";
import { formatPerplexity } from "./evaluation-table.ts";
import {
  formatBits,
  formatBytes,
  formatDuration,
  formatNumber,
  formatPercentage,
  printable,
} from "./format.ts";
import type { Layout } from "./style.ts";
import { type Cell, type Column, formatTable } from "./table.ts";

type RecordColumn = Column & { readonly cell: (record: PointRecord) => string | null };

const columns: readonly RecordColumn[] = [
  { header: "variant", minWidth: 20, keep: "end", cell: ({ point }) => printable(point.label) },
  figure("bits/weight", 1, ({ result }) => map(result?.bitsPerWeight.linear, formatBits)),
  figure("size", 4, ({ result }) => map(result?.sizeBytes, formatBytes)),
  figure("perplexity", 0, ({ result }) => {
    const [text] = result?.texts ?? [];
    if (!text) return null;
    const { perplexity: value, interval } = text;
    return formatPerplexity({ value, halfWidth: (interval.high - interval.low) / 2 });
  }),
  figure("KL", 2, ({ result }) => map(result?.texts[0]?.klDivergence?.mean, formatNumber)),
  figure("accuracy", 1, (record) => map(meanTaskAccuracy(record), formatPercentage)),
  figure("tokens/s", 5, ({ result }) => map(result?.tokensPerSecond, formatNumber)),
  figure("made in", 6, ({ result }) => map(result?.makeMs, formatDuration)),
  figure("memory", 7, ({ result }) => map(result?.peakMemoryBytes, formatBytes)),
];

/**
 * Lays out one row a point, model by model: the original first, the others by size, failed ones last with the reason
 * below the table.
 */
export function formatSweepResults({ points }: SweepResults, layout: Layout): string[] {
  const models = [...new Set(points.map(({ point }) => point.model))];
  const used = columns.filter(({ cell }) => points.some((record) => cell(record) !== null));
  return models.flatMap((model, index) => {
    const own = sortRecords(points.filter(({ point }) => point.model === model));
    const rows = own.map((record) => used.map((column, i) => cellOf(record, column, i)));
    const table = formatTable(used, rows, layout);
    return [...(index > 0 ? [""] : []), `  ${layout.style(printable(model), "accent")}`, ...table];
  });
}

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

/** Mean accuracy over the tasks of a point, each counting the same; null without tasks. */
function meanTaskAccuracy({ result }: PointRecord): number | null {
  if (!result || result.tasks.length === 0) return null;
  return result.tasks.reduce((sum, task) => sum + task.accuracy.mean, 0) / result.tasks.length;
}

function sortRecords(records: readonly PointRecord[]): PointRecord[] {
  const rank = ({ point, result }: PointRecord): number =>
    point.method === null ? 0 : result ? 1 : 2;
  return [...records].sort(
    (a, b) => rank(a) - rank(b) || (b.result?.sizeBytes ?? 0) - (a.result?.sizeBytes ?? 0),
  );
}

function cellOf(record: PointRecord, { cell, header }: RecordColumn, index: number): Cell {
  const text = cell(record);
  if (text !== null && (index === 0 || record.result)) return text;
  if (header !== "perplexity" || record.status === "done") return "–";
  return { text: record.status, tone: record.status === "failed" ? "failure" : "dim" };
}

function figure(header: string, dropOrder: number, cell: RecordColumn["cell"]): RecordColumn {
  return { header, dropOrder, align: "right", cell };
}

function map<T>(value: T | null | undefined, format: (value: T) => string): string | null {
  return value == null ? null : format(value);
}
