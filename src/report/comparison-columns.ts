import { type ComparedVariant, meanAboveChance, originTitles } from "./comparison.ts";
import { formatPerplexity } from "./evaluation-table.ts";
import {
  formatBits,
  formatBytes,
  formatDuration,
  formatNumber,
  formatPercentage,
} from "./format.ts";

/** A column of a comparison's table. */
export interface ComparisonColumn {
  readonly header: string;
  /** Order in which columns go when a terminal is too narrow, the highest first; 0 never. */
  readonly dropOrder: number;
  /** Null for what a variant has no figure for. */
  readonly cell: (variant: ComparedVariant) => string | null;
}

function shown<T>(value: T | null | undefined, format: (value: T) => string): string | null {
  return value === null || value === undefined ? null : format(value);
}

const columns: readonly ComparisonColumn[] = [
  { header: "how made", dropOrder: 3, cell: ({ origin }) => originTitles[origin] },
  {
    header: "bits/weight",
    dropOrder: 1,
    cell: ({ figures }) => shown(figures.bitsPerWeight, ({ linear }) => formatBits(linear)),
  },
  {
    header: "size",
    dropOrder: 4,
    cell: ({ figures }) => shown(figures.sizeBytes, formatBytes),
  },
  {
    header: "perplexity",
    dropOrder: 0,
    cell: ({ figures }) => shown(figures.perplexity, formatPerplexity),
  },
  {
    header: "KL",
    dropOrder: 2,
    cell: ({ figures }) => shown(figures.klDivergence, (value) => formatNumber(value)),
  },
  {
    header: "accuracy",
    dropOrder: 0,
    cell: ({ figures }) => shown(figures.accuracy, formatPercentage),
  },
  {
    header: "above chance",
    dropOrder: 5,
    cell: ({ tasks }) => shown(meanAboveChance(tasks), formatPercentage),
  },
  {
    header: "tokens/s",
    dropOrder: 6,
    cell: ({ figures }) => shown(figures.tokensPerSecond, (value) => formatNumber(value)),
  },
  {
    header: "made in",
    dropOrder: 7,
    cell: ({ elapsedMs }) => shown(elapsedMs, formatDuration),
  },
];

/** The columns that at least one of the variants has a figure for. */
export function comparisonColumns(variants: readonly ComparedVariant[]): ComparisonColumn[] {
  return columns.filter(({ cell }) => variants.some((variant) => cell(variant) !== null));
}
