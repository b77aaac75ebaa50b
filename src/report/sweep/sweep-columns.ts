import { halfWidth } from "../../evaluation/statistics/interval.ts";
import { formatPerplexity } from "../evaluation-table.ts";
import {
  formatBits,
  formatBytes,
  formatDuration,
  formatNumber,
  formatPercentage,
} from "../format.ts";
import type { SweepRow } from "./sweep-row.ts";

/** A column of a sweep's table. */
export interface SweepColumn {
  readonly header: string;
  /** Order in which columns are dropped when a terminal is too narrow, highest first; 0: never. */
  readonly dropOrder: number;
  /** Null for what a row has no figure for. */
  readonly cell: (row: SweepRow) => string | null;
  /** What rows are sorted by. */
  readonly value: (row: SweepRow) => number | null;
}

const firstColumns: readonly SweepColumn[] = [
  {
    header: "bits/weight",
    dropOrder: 1,
    value: ({ result }) => result?.bitsPerWeight.linear ?? null,
    cell: ({ result }) => (result ? formatBits(result.bitsPerWeight.linear) : null),
  },
  {
    header: "size",
    dropOrder: 0,
    value: ({ result }) => result?.sizeBytes ?? null,
    cell: ({ result }) => (result ? formatBytes(result.sizeBytes) : null),
  },
];

const lastColumns: readonly SweepColumn[] = [
  {
    header: "tokens/s",
    dropOrder: 4,
    value: ({ result }) => result?.tokensPerSecond ?? null,
    cell: ({ result }) => map(result?.tokensPerSecond, (value) => formatNumber(value)),
  },
  {
    header: "made in",
    dropOrder: 5,
    value: ({ result }) => result?.makeMs ?? null,
    cell: ({ result }) => map(result?.makeMs, formatDuration),
  },
  {
    header: "memory",
    dropOrder: 6,
    value: ({ result }) => result?.peakMemoryBytes ?? null,
    cell: ({ result }) => map(result?.peakMemoryBytes, formatBytes),
  },
];

/**
 * The columns that at least one of the rows has a figure for: bits a weight, size, perplexity and
 * KL on the first text, averages of tasks, speed, time, memory. All other figures are in the CSV.
 */
export function sweepColumns(rows: readonly SweepRow[]): SweepColumn[] {
  const results = rows.flatMap(({ result }) => (result ? [result] : []));
  const texts = results.flatMap((result) => result.texts.map(({ name }) => name));
  const averages = new Set(results.flatMap((result) => result.averages.map(({ name }) => name)));
  const columns = [
    ...firstColumns,
    ...texts.slice(0, 1).flatMap(textColumns),
    ...[...averages].map((name) => averageColumn(name, averages.size > 1)),
    ...lastColumns,
  ];
  return columns.filter(({ value }) => rows.some((row) => value(row) !== null));
}

function textColumns(name: string): SweepColumn[] {
  const onText = ({ result }: SweepRow) => result?.texts.find((text) => text.name === name);
  return [
    {
      header: "perplexity",
      dropOrder: 0,
      value: (row) => onText(row)?.perplexity ?? null,
      cell: (row) =>
        map(onText(row), ({ perplexity, interval }) =>
          formatPerplexity({ value: perplexity, halfWidth: interval && halfWidth(interval) }),
        ),
    },
    {
      header: "KL",
      dropOrder: 3,
      value: (row) => onText(row)?.klDivergence?.mean ?? null,
      cell: (row) => map(onText(row)?.klDivergence?.mean, (value) => formatNumber(value)),
    },
  ];
}

function averageColumn(name: string, several: boolean): SweepColumn {
  const found = ({ result }: SweepRow) => result?.averages.find((entry) => entry.name === name);
  return {
    header: several ? name : "task average",
    dropOrder: 2,
    value: (row) => found(row)?.accuracy.mean ?? null,
    cell: (row) =>
      map(found(row)?.accuracy, ({ mean, standardError }) => {
        const half = (196 * standardError).toFixed(1);
        return `${formatPercentage(mean).replace(" %", "")} ± ${half} %`;
      }),
  };
}

function map<T>(value: T | null | undefined, format: (value: T) => string): string | null {
  return value == null ? null : format(value);
}
