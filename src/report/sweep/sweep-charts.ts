import type { Chart, LegendEntry } from "../chart/draw-chart.ts";
import type { PlotAxis, PlotPoint, PlotShape } from "../chart/plot.ts";
import { linearScale, logScale } from "../chart/scale.ts";
import { formatBits, formatBytes, formatDuration, formatNumber } from "../format.ts";
import { bitsTitle, colourClass } from "../palette.ts";
import type { Measure } from "./measures.ts";
import type { SweepRow } from "./sweep-row.ts";

const shapes: readonly PlotShape[] = [
  "circle",
  "square",
  "triangle",
  "diamond",
  "down",
  "pentagon",
  "plus",
  "star",
];

/** Points with figures on two measures, and the axes that hold them. */
export interface MeasuredAxes {
  readonly x: MeasuredAxis;
  readonly y: MeasuredAxis;
}

/** An axis with the way from a value to its place, 0 to 1. */
export interface MeasuredAxis extends PlotAxis {
  readonly place: (value: number) => number;
}

/** Makes the axis of a measure that holds all its values and intervals; up is good on those of quality. */
export function measureAxis(measure: Measure, rows: readonly SweepRow[]): MeasuredAxis {
  const values = rows.flatMap((row) => {
    const value = measure.value(row);
    const interval = value === null ? null : measure.interval(row);
    return value === null ? [] : interval ? [value, interval.low, interval.high] : [value];
  });
  const reversed = measure.role === "quality" && measure.better === "lower";
  const make = measure.scale === "logarithmic" ? logScale : linearScale;
  const scale = make(values, reversed ? [1, 0] : [0, 1]);
  const notes = [
    ...(measure.scale === "logarithmic" ? ["logarithmic"] : []),
    ...(reversed ? ["reversed: up is better"] : []),
  ];
  return {
    title: notes.length > 0 ? `${measure.title} (${notes.join(", ")})` : measure.title,
    ticks: scale.ticks.map((tick) => ({ at: scale.position(tick), label: measure.format(tick) })),
    place: scale.position,
  };
}

/** Colours for the bit-widths and shapes for the models that occur. */
export function legendOf(rows: readonly SweepRow[]): LegendEntry[] {
  const done = rows.filter(({ result }) => result !== null);
  const bits = [...new Set(done.map(({ record }) => record.point.bits))].sort((a, b) => b - a);
  const models = modelsOf(rows);
  return [
    ...bits.map((bit) => ({
      kind: "circle" as const,
      colour: colourClass(bit),
      title: bit === 16 ? "original" : bitsTitle(bit),
    })),
    ...(models.length > 1
      ? models.map((model) => ({ kind: shapeOf(model, models), colour: "", title: model }))
      : []),
  ];
}

/** Ids of the models in the order of the rows. */
export function modelsOf(rows: readonly SweepRow[]): string[] {
  return [...new Set(rows.map(({ record }) => record.point.model))];
}

function shapeOf(model: string, models: readonly string[]): PlotShape {
  return shapes[models.indexOf(model) % shapes.length] ?? "circle";
}

/** Draws one measure over another, with a mark for each row that has both. */
export function scatterOf(
  id: string,
  title: string,
  rows: readonly SweepRow[],
  measures: { readonly x: Measure; readonly y: Measure },
): Chart {
  const x = measureAxis(measures.x, rows);
  const y = measureAxis(measures.y, rows);
  const models = modelsOf(rows);
  const points = rows.flatMap((row): PlotPoint[] => {
    const across = measures.x.value(row);
    const up = measures.y.value(row);
    if (across === null || up === null) return [];
    const interval = measures.y.interval(row);
    return [
      {
        id: row.id,
        x: x.place(across),
        y: y.place(up),
        whisker: interval && [y.place(interval.low), y.place(interval.high)],
        colour: colourClass(row.record.point.bits),
        shape: shapeOf(row.record.point.model, models),
        label: row.name,
        faded: false,
        title: describeRow(row).join("\n"),
      },
    ];
  });
  const side = measures.x.better === "lower" ? "left" : "right";
  return { id, title, legend: legendOf(rows), plot: { x, y, lines: [], points, side } };
}

/** What is known of a point, in lines for those who ask. */
export function describeRow({ record, result, original }: SweepRow): string[] {
  const { point } = record;
  const lines = [`${point.model} · ${point.label}`];
  if (!result) return lines;
  lines.push(
    `${formatBits(result.bitsPerWeight.linear)} bits a weight · ${formatBytes(result.sizeBytes)}`,
  );
  for (const text of result.texts) {
    const before = original?.texts.find(({ name }) => name === text.name);
    const ratio = before
      ? ` · ${formatNumber(text.perplexity / before.perplexity)} × original`
      : "";
    lines.push(`perplexity ${formatNumber(text.perplexity, 4)}${ratio}`);
    if (text.klDivergence) lines.push(`KL divergence ${formatNumber(text.klDivergence.mean)}`);
  }
  for (const { name, accuracy } of result.averages) {
    lines.push(`accuracy, average ${name} ${(100 * accuracy.mean).toFixed(1)} %`);
  }
  if (result.tokensPerSecond !== null) {
    lines.push(`${formatNumber(result.tokensPerSecond)} tokens a second`);
  }
  if (result.makeMs !== null) lines.push(`made in ${formatDuration(result.makeMs)}`);
  return lines;
}
