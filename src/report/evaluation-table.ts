import { formatBits, formatBytes, formatNumber, formatPercentage, printable } from "./format.ts";
import type { Layout } from "./style.ts";
import { type Column, formatTable } from "./table.ts";

/** What is known of one variant of a model; null for what was not measured. */
export interface VariantFigures {
  readonly variant: string;
  readonly bitsPerWeight: { readonly linear: number; readonly file: number } | null;
  readonly sizeBytes: number | null;
  /** Perplexity, and half the width of its 95 % interval. */
  readonly perplexity: { readonly value: number; readonly halfWidth: number | null } | null;
  /** Mean KL divergence from the original, in nats a token. */
  readonly klDivergence: number | null;
  readonly topTokenAgreement: number | null;
  /** Mean share of right answers over the tasks. */
  readonly accuracy: number | null;
  readonly tokensPerSecond: number | null;
  readonly peakMemoryBytes: number | null;
}

/** A column, and how it is filled; null where a variant has no figure. */
type FigureColumn = Column & { readonly cell: (figures: VariantFigures) => string | null };

const columns: readonly FigureColumn[] = [
  { header: "variant", minWidth: 20, keep: "end", cell: (f) => printable(f.variant) },
  {
    header: "bits/weight",
    align: "right",
    dropOrder: 1,
    cell: (f) => map(f.bitsPerWeight?.linear, formatBits),
  },
  { header: "size", align: "right", dropOrder: 3, cell: (f) => map(f.sizeBytes, formatBytes) },
  { header: "perplexity", align: "right", cell: (f) => map(f.perplexity, formatPerplexity) },
  { header: "KL", align: "right", dropOrder: 2, cell: (f) => map(f.klDivergence, formatNumber) },
  {
    header: "same top",
    align: "right",
    dropOrder: 4,
    cell: (f) => map(f.topTokenAgreement, formatPercentage),
  },
  {
    header: "accuracy",
    align: "right",
    dropOrder: 1,
    cell: (f) => map(f.accuracy, formatPercentage),
  },
  {
    header: "tokens/s",
    align: "right",
    dropOrder: 5,
    cell: (f) => map(f.tokensPerSecond, formatNumber),
  },
  {
    header: "memory",
    align: "right",
    dropOrder: 6,
    cell: (f) => map(f.peakMemoryBytes, formatBytes),
  },
];

/**
 * Lays out one row a variant, the original first and the others by size; columns that no variant
 * has a figure for are left out.
 */
export function formatEvaluationTable(
  original: VariantFigures | null,
  variants: readonly VariantFigures[],
  layout: Layout,
): string[] {
  const bySize = [...variants].sort((a, b) => (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0));
  const rows = original ? [original, ...bySize] : bySize;
  const used = columns.filter((column) => rows.some((row) => column.cell(row) !== null));
  return formatTable(
    used,
    rows.map((row) => used.map((column) => column.cell(row) ?? "–")),
    layout,
  );
}

/** Formats a perplexity with as many decimals as its interval supports: `23.41 ± 0.35`. */
export function formatPerplexity(perplexity: NonNullable<VariantFigures["perplexity"]>): string {
  const { value, halfWidth } = perplexity;
  if (!Number.isFinite(value)) return formatNumber(value);
  if (halfWidth === null || !(halfWidth > 0) || !Number.isFinite(halfWidth)) {
    return formatNumber(value, 4);
  }
  if (value >= 1e6) return formatNumber(value);
  const decimals = Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(halfWidth))));
  return `${value.toFixed(decimals)} ± ${halfWidth.toFixed(decimals)}`;
}

function map<T>(value: T | null | undefined, format: (value: T) => string): string | null {
  return value == null ? null : format(value);
}
