import type { Chart, LegendEntry } from "../chart/draw-chart.ts";
import type { PlotShape } from "../chart/plot.ts";
import { figureName, readFigure } from "../../evaluation/figure.ts";
import { figures } from "../../evaluation/figures.ts";
import { formatNumber } from "../format.ts";
import { figureText } from "../format-figure.ts";
import { bitsName, colourClass } from "../palette.ts";
import { measureAxis, placeInterval } from "./measure-axis.ts";
import type { Measure } from "./measures.ts";
import { plotView, type SweepView, type ViewMeasure, type ViewRow } from "./page/sweep-view.ts";
import type { SweepAnalysis } from "../../sweep/analysis/sweep-analysis.ts";
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

/** A chart of one measure over another, both named by their ids. */
export interface ViewChart extends Chart {
  readonly x: string;
  readonly y: string;
}

/** Makes what charts, and the script that redraws them, know of rows and measures. */
export function makeView(
  rows: readonly SweepRow[],
  measures: readonly Measure[],
  analysis: SweepAnalysis,
): SweepView {
  const models = modelsOf(rows);
  return {
    near: nearOf(rows, analysis),
    rows: rows.map((row) => viewRow(row, models)),
    measures: measures.map((measure) => viewMeasure(measure, rows)),
  };
}

/** Points that a front beats, but not clearly, by the measures of the front. */
function nearOf(
  rows: readonly SweepRow[],
  { qualities }: SweepAnalysis,
): Record<string, readonly string[]> {
  const known = new Map(rows.map(({ record, id }) => [record.point.id, id]));
  const near: Record<string, string[]> = {};
  for (const { id: quality, fronts } of qualities) {
    for (const { cost, dominated } of fronts) {
      const own = dominated.filter(({ clear }) => !clear).map(({ id }) => known.get(id) ?? "");
      near[`${cost} ${quality}`] = [...(near[`${cost} ${quality}`] ?? []), ...own];
    }
  }
  return near;
}

function viewRow(row: SweepRow, models: readonly string[]): ViewRow {
  const { model, method, preset, bits } = row.record.point;
  return {
    id: row.id,
    name: row.name,
    model,
    method: preset ?? method ?? "original",
    bits: bitsName(bits),
    colour: colourClass(bits),
    shape: shapeOf(model, models),
    lines: describeRow(row),
    command: row.record.command,
  };
}

function viewMeasure(measure: Measure, rows: readonly SweepRow[]): ViewMeasure {
  const values = rows.map(measure.value);
  const intervals = rows.map(measure.interval);
  const axis = measureAxis(
    measure,
    values.flatMap((value, index) =>
      value === null ? [] : [{ value, interval: intervals[index] ?? null }],
    ),
  );
  const { place, beyond, ...drawn } = axis;
  const ofEach = <T>(read: (value: number) => T): (T | null)[] =>
    values.map((value) => (value === null || Number.isNaN(value) ? null : read(value)));
  return {
    id: measure.id,
    name: measure.title,
    ...drawn,
    role: measure.role,
    places: ofEach(place),
    beyond: ofEach(beyond),
    whiskers: intervals.map((ends) => ends && placeInterval(axis, ends)),
    comparable: rows.map(measure.comparable),
  };
}

/** Makes the chart of one measure over another; null where no point has both. */
export function viewChart(
  view: SweepView,
  chart: Pick<ViewChart, "id" | "title" | "x" | "y" | "legend">,
): ViewChart | null {
  const plot = plotView(view, chart.x, chart.y, null);
  return plot && plot.points.length > 0 ? { ...chart, plot } : null;
}

/** Colours for the bit-widths and shapes for the models that occur, and the line of the front. */
export function legendOf(rows: readonly SweepRow[]): LegendEntry[] {
  const done = rows.filter(({ result }) => result !== null);
  const bits = [...new Set(done.map(({ record }) => record.point.bits))].sort((a, b) => b - a);
  const models = modelsOf(rows);
  return [
    ...bits.map((bit) => ({
      kind: "circle" as const,
      colour: colourClass(bit),
      title: bitsName(bit),
    })),
    ...(models.length > 1
      ? models.map((model) => ({ kind: shapeOf(model, models), colour: "", title: model }))
      : []),
    { kind: "front", colour: "", title: "front" },
  ];
}

/** Ids of the models in the order of the rows. */
function modelsOf(rows: readonly SweepRow[]): string[] {
  return [...new Set(rows.map(({ record }) => record.point.model))];
}

/** Shape of the marks of a model. */
function shapeOf(model: string, models: readonly string[]): PlotShape {
  return shapes[models.indexOf(model) % shapes.length] ?? "circle";
}

/** What is known of a point, in lines for those who ask. */
function describeRow({ record, result, original }: SweepRow): string[] {
  const { point } = record;
  const lines = [`${point.model} · ${point.label}`];
  if (!result) return lines;
  const { bits, size, perplexity, kl, accuracy, repetition, loops, speed, time } = figures;
  lines.push(`${figureText(bits, result)} bits a weight · ${figureText(size, result)}`);
  for (const text of result.texts) {
    const value = readFigure(perplexity, text) ?? Number.NaN;
    const beside = original?.texts.find(({ name }) => name === text.name);
    const before = point.method === null ? null : readFigure(perplexity, beside);
    const ratio = before === null ? "" : ` · ${formatNumber(value / before)} × original`;
    const of = result.texts.length > 1 ? ` on ${text.name}` : "";
    lines.push(`${figureName(perplexity)} ${formatNumber(value, 4)}${of}${ratio}`);
    const divergence = figureText(kl, text);
    if (divergence !== null) lines.push(`${figureName(kl)} ${divergence}`);
  }
  for (const average of result.averages) {
    lines.push(`${figureName(accuracy)}, average ${average.name} ${figureText(accuracy, average)}`);
  }
  const repeated = figureText(repetition, result);
  if (repeated !== null) {
    lines.push(`${figureName(repetition)} ${repeated} · ${figureText(loops, result)} in a loop`);
  }
  const decode = figureText(speed, result);
  if (decode !== null) lines.push(`${decode} tokens a second`);
  const made = figureText(time, result);
  if (made !== null) lines.push(`made in ${made}`);
  return lines;
}
