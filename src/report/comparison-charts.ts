import { type Chart, drawChart, type LegendEntry } from "./chart/draw-chart.ts";
import type { PlotAxis, PlotShape } from "./chart/plot.ts";
import { linearScale, logScale, type Scale } from "./chart/scale.ts";
import { type ComparedVariant, type Origin, originTitles } from "./comparison.ts";
import {
  formatBits,
  formatBytes,
  formatNumber,
  formatPercentage,
  shortenDecimals,
} from "./format.ts";
import { bitsName, colourClass } from "./palette.ts";

const shapes: Readonly<Record<Origin, PlotShape>> = {
  original: "circle",
  computed: "circle",
  trained: "diamond",
  shipped: "square",
};

/**
 * Draws task accuracy over size. Variants without tasks are left out; empty when there are none.
 */
export function drawAccuracyChart(variants: readonly ComparedVariant[]): string {
  return drawVariants(variants, {
    id: "accuracy",
    title: "task accuracy, mean over the tasks",
    value: ({ figures }) => figures.accuracy,
    scale: (values) => linearScale(values, [0, 1]),
    format: (value) => `${Math.round(100 * value)} %`,
  });
}

/** Draws perplexity over size, both on logarithmic axes, with up as better. */
export function drawPerplexityChart(variants: readonly ComparedVariant[]): string {
  return drawVariants(variants, {
    id: "perplexity",
    title: "perplexity",
    note: "log, up is better",
    value: ({ figures }) => figures.perplexity?.value ?? null,
    scale: (values) => logScale(values, [1, 0]),
    format: (value) => formatNumber(value, 2),
  });
}

interface Measure {
  readonly id: string;
  readonly title: string;
  readonly note?: string;
  readonly value: (variant: ComparedVariant) => number | null;
  readonly scale: (values: readonly number[]) => Scale;
  readonly format: (value: number) => string;
}

/** Draws the chart for screens and for phones; the page's style shows one of them. */
function drawVariants(variants: readonly ComparedVariant[], measure: Measure): string {
  const shown = variants.flatMap((variant, index) => {
    const size = variant.figures.sizeBytes;
    const value = measure.value(variant);
    return size === null || value === null || !Number.isFinite(value)
      ? []
      : [{ variant, size, value, id: `p${index}` }];
  });
  if (shown.length === 0) return "";
  const across = logScale(
    shown.map(({ size }) => size),
    [0, 1],
  );
  const up = measure.scale(shown.map(({ value }) => value));
  const points = shown.map(({ variant, size, value, id }) => ({
    id,
    x: across.position(size),
    y: up.position(value),
    whisker: null,
    colour: colourClass(variant.bits),
    shape: shapes[variant.origin],
    label: variant.figures.variant,
    faded: false,
    title: detailsOf(variant).join("\n"),
  }));
  const chart: Chart = {
    id: measure.id,
    title: `${measure.title} over size`,
    legend: legendOf(variants),
    plot: {
      x: axisOf(across, formatBytes, { title: "size of the weight file", note: "log" }),
      y: axisOf(up, measure.format, measure),
      lines: [],
      points,
      side: "right",
    },
  };
  return drawChart(chart, "wide") + drawChart(chart, "narrow");
}

function axisOf(
  { ticks, position }: Scale,
  format: (value: number) => string,
  { title, note }: Pick<PlotAxis, "title" | "note">,
): PlotAxis {
  const written = ticks.map((tick) => ({
    at: position(tick),
    label: shortenDecimals(format(tick)),
  }));
  return { title, ticks: written, ...(note !== undefined && { note }) };
}

/** Colours for the bit-widths and shapes for the origins that occur. */
function legendOf(variants: readonly ComparedVariant[]): LegendEntry[] {
  const bits = [...new Set(variants.map((variant) => variant.bits))].sort((a, b) => b - a);
  const origins = [...new Set(variants.map((variant) => variant.origin))];
  return [
    ...bits.map((bit) => ({
      kind: "circle" as const,
      colour: colourClass(bit),
      title: bitsName(bit),
    })),
    ...origins
      .filter((origin) => origin !== "original")
      .map((origin) => ({ kind: shapes[origin], colour: "", title: originTitles[origin] })),
  ];
}

function detailsOf({ figures, origin, elapsedMs }: ComparedVariant): string[] {
  const { bitsPerWeight, sizeBytes, perplexity, klDivergence, accuracy } = figures;
  const lines = [`${figures.variant} (${originTitles[origin]})`];
  if (bitsPerWeight) lines.push(`${formatBits(bitsPerWeight.linear)} bits a weight`);
  if (sizeBytes !== null) lines.push(formatBytes(sizeBytes));
  if (perplexity) lines.push(`perplexity ${formatNumber(perplexity.value, 4)}`);
  if (klDivergence !== null) lines.push(`KL divergence ${formatNumber(klDivergence)}`);
  if (accuracy !== null) lines.push(`accuracy ${formatPercentage(accuracy)}`);
  if (elapsedMs !== null) lines.push(`made in ${(elapsedMs / 1000).toFixed(1)} s`);
  return lines;
}
