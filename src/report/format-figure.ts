import {
  type Figure,
  type FigureFormat,
  readFigure,
  readSpread,
  type Spread,
} from "../evaluation/figure.ts";
import { formatPlusMinus } from "./describe-difference.ts";
import {
  formatBits,
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatPercentage,
} from "./format.ts";

const formats: Readonly<Record<FigureFormat, (value: number) => string>> = {
  bits: formatBits,
  bytes: formatBytes,
  count: formatCount,
  duration: formatDuration,
  number: (value) => formatNumber(value),
  perplexity: (value) => formatNumber(value),
  share: formatPercentage,
};

/** Formats a value of a figure. */
export function formatFigure({ format }: Pick<Figure, "format">, value: number): string {
  return formats[format](value);
}

/** Formats a value with half the width of its interval, to the digits that it supports. */
export function formatSpread(
  { format }: Pick<Figure, "format">,
  value: number,
  half: number | null,
): string {
  if (format === "perplexity") return formatPerplexity(value, half);
  if (half === null) return formats[format](value);
  return format === "share"
    ? `${formatPlusMinus(100 * value, 100 * half)} %`
    : formatPlusMinus(value, half, 2);
}

/** Formats what was measured of a figure; null where it was not. */
export function figureText(figure: Figure, measured: unknown): string | null {
  const value = readFigure(figure, measured);
  return value === null ? null : formatFigure(figure, value);
}

/** Formats what was measured with half the width of its interval, or its standard error. */
export function spreadText(
  figure: Figure,
  measured: unknown,
  spread: Spread = "interval",
): string | null {
  const value = readFigure(figure, measured);
  if (value === null) return null;
  const half = readSpread(figure, measured, spread);
  if (figure.format !== "share" || half === null) return formatSpread(figure, value, half);
  return `${(100 * value).toFixed(1)} ± ${(100 * half).toFixed(1)} %`;
}

/** Formats a perplexity with as many decimals as its interval supports: `23.41 ± 0.35`. */
function formatPerplexity(value: number, half: number | null): string {
  if (!Number.isFinite(value)) return formatNumber(value);
  if (half === null || !(half > 0) || !Number.isFinite(half)) return formatNumber(value, 4);
  if (value >= 1e6) return formatNumber(value);
  const decimals = Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(half))));
  return `${value.toFixed(decimals)} ± ${half.toFixed(decimals)}`;
}
