import type { Axis } from "./chart/axes.ts";
import { linearScale, logScale } from "./chart/scale.ts";
import {
  type ChartPoint,
  drawScatterChart,
  type Legend,
  type MarkShape,
  xRange,
  yRange,
} from "./chart/scatter-chart.ts";
import { type ComparedVariant, type Origin, originTitles } from "./comparison.ts";
import { formatBits, formatBytes, formatNumber, formatPercentage } from "./format.ts";

const shapes: Readonly<Record<Origin, MarkShape>> = {
  original: "circle",
  computed: "circle",
  trained: "diamond",
  shipped: "ring",
};

/** Draws task accuracy over size. Variants without tasks are left out; empty when there are none. */
export function drawAccuracyChart(variants: readonly ComparedVariant[]): string {
  return drawChart(variants, {
    title: "Task accuracy, mean over the tasks",
    value: ({ figures }) => figures.accuracy,
    axis: (values) => ({
      scale: linearScale(values, yRange),
      title: "task accuracy, mean over the tasks",
      format: (value) => `${Math.round(100 * value)} %`,
    }),
  });
}

/** Draws perplexity over size, both on logarithmic axes; lower is better. */
export function drawPerplexityChart(variants: readonly ComparedVariant[]): string {
  return drawChart(variants, {
    title: "Perplexity",
    value: ({ figures }) => figures.perplexity?.value ?? null,
    axis: (values) => ({
      scale: logScale(values, yRange),
      title: "perplexity, lower is better (logarithmic)",
      format: (value) => formatNumber(value, 2),
    }),
  });
}

interface Measure {
  readonly title: string;
  readonly value: (variant: ComparedVariant) => number | null;
  readonly axis: (values: readonly number[]) => Axis;
}

function drawChart(variants: readonly ComparedVariant[], measure: Measure): string {
  const shown = variants.flatMap((variant) => {
    const size = variant.figures.sizeBytes;
    const value = measure.value(variant);
    return size === null || value === null || !Number.isFinite(value)
      ? []
      : [{ variant, size, value }];
  });
  if (shown.length === 0) return "";
  const x: Axis = {
    scale: logScale(
      shown.map(({ size }) => size),
      xRange,
    ),
    title: "size of the weight file (logarithmic)",
    format: formatBytes,
  };
  const y = measure.axis(shown.map(({ value }) => value));
  const points = shown.map(
    ({ variant, size, value }): ChartPoint => ({
      x: size,
      y: value,
      label: variant.figures.variant,
      colour: String(variant.bits),
      shape: variant.origin,
      details: detailsOf(variant),
    }),
  );
  return drawScatterChart(`${measure.title} over size`, { x, y }, points, legendOf(variants));
}

/** Colours for the bit-widths and shapes for the origins that occur. */
function legendOf(variants: readonly ComparedVariant[]): Legend {
  const bits = [...new Set(variants.map((variant) => variant.bits))].sort((a, b) => b - a);
  const origins = [...new Set(variants.map((variant) => variant.origin))];
  return {
    colours: new Map(
      bits.map((bit) => [
        String(bit),
        { className: colourClass(bit), title: bit === 1 ? "1 bit" : `${bit} bits` },
      ]),
    ),
    shapes: new Map(
      origins
        .filter((origin) => origin !== "original")
        .map((origin) => [origin, { shape: shapes[origin], title: originTitles[origin] }]),
    ),
  };
}

/** Class whose colour stands for a bit-width: `bits-1_58`. */
export function colourClass(bits: number): string {
  return `bits-${String(bits).replace(".", "_")}`;
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
