import type { Chart } from "../chart/draw-chart.ts";
import type { PlotLine, PlotPoint } from "../chart/plot.ts";
import { capitalize } from "../format.ts";
import { bitsName, colourClass } from "../palette.ts";
import { type MeasureAxis, measureAxis, placeInterval } from "./measure-axis.ts";
import type { Measure } from "./measures.ts";
import type {
  QualityAnalysis,
  SizeCurve,
  SizedInterval,
  SizeId,
} from "../../sweep/analysis/sweep-analysis.ts";
import { labelOf, type ViewRow } from "./page/sweep-view.ts";

/**
 * Draws quality over size with a curve for each bit-width through the models of a family, as
 * ParetoQ does: that of the best method and scheme, fitted with its 95 % band where there are sizes
 * enough, else from point to point. What other methods made stands faintly beside. Null without
 * curves.
 * @param rows what the page knows of points, by their ids
 */
export function familyChart(
  quality: QualityAnalysis,
  size: SizeId,
  rows: ReadonlyMap<string, ViewRow>,
  measures: { readonly x: Measure; readonly y: Measure },
): Chart | null {
  const curves = quality.curves.filter((curve) => curve.size === size);
  const best = curves.filter((curve) => curve.best).sort((a, b) => a.bits - b.bits);
  if (best.length === 0) return null;
  const sizes = curves.flatMap(({ points }) => points.map(({ sizeBytes }) => sizeBytes));
  const x = measureAxis(
    measures.x,
    sizes.map((value) => ({ value, interval: null })),
  );
  // What other methods made may lie below: the curves are what is to be seen.
  const y = measureAxis(
    measures.y,
    best.flatMap(({ points, fit }) => [...points, ...(fit?.band ?? [])]),
  );
  const points = curves.flatMap((curve) => pointsOf(curve, rows, { x, y }));
  return {
    id: size === "size" ? "family-size" : "family-linear-size",
    title:
      `${capitalize(measures.y.short)} over model sizes, ` +
      `${size === "size" ? "whole file" : "linear layers only"}`,
    legend: best.map(({ bits, label }) => ({
      kind: "curve",
      colour: colourClass(bits),
      title: bits === 16 ? label : `${bitsName(bits)}: ${label}`,
    })),
    plot: {
      x,
      y,
      lines: best.flatMap((curve) => linesOf(curve, { x, y })),
      points,
      side: "left",
    },
  };
}

interface Axes {
  readonly x: MeasureAxis;
  readonly y: MeasureAxis;
}

/** The band below, the curve above it. */
function linesOf({ bits, points, fit }: SizeCurve, { x, y }: Axes): PlotLine[] {
  const colour = colourClass(bits);
  if (!fit) {
    const places = points.map((point) => [x.place(point.sizeBytes), y.place(point.value)] as const);
    return [{ kind: "curve", colour, places }];
  }
  const along = (value: (at: SizedInterval) => number): (readonly [number, number])[] =>
    fit.band.map((at) => [x.place(at.sizeBytes), y.place(value(at))]);
  const low = along(({ interval }) => interval.low);
  const high = along(({ interval }) => interval.high);
  return [
    { kind: "band", colour, places: [...high, ...low.reverse()] },
    { kind: "curve", colour, places: along(({ value }) => value) },
  ];
}

/** Marks of a curve; the best ones are named at their largest model. */
function pointsOf(
  { bits, best, points }: SizeCurve,
  rows: ReadonlyMap<string, ViewRow>,
  { x, y }: Axes,
): PlotPoint[] {
  return points.flatMap((point, index): PlotPoint[] => {
    const row = rows.get(point.id);
    if (!row) return [];
    return [
      {
        id: row.id,
        x: x.place(point.sizeBytes),
        y: y.place(point.value),
        whisker: best ? placeInterval(y, point.interval) : null,
        colour: colourClass(bits),
        shape: row.shape,
        label: labelOf(
          bitsName(bits),
          best && index === points.length - 1,
          x.beyond(point.sizeBytes),
          y.beyond(point.value),
        ),
        faded: !best,
        title: row.lines.join("\n"),
      },
    ];
  });
}
