import { axisFrame, drawPlotAxes } from "./draw-axes.ts";
import { drawPlotLabels } from "./draw-labels.ts";
import { drawPlotLine, drawPlotPoint, pixelPlaces } from "./draw-marks.ts";
import type { Plot, PlotLayout } from "./plot.ts";

/** A plot that was drawn. */
export interface DrawnPlot {
  /** Elements of an SVG. */
  readonly content: string;
  /** Height of the whole drawing: the more names had to go below, the more. */
  readonly height: number;
}

/** Draws axes, lines, marks and names as elements of an SVG; colours come from classes. */
export function drawPlot(plot: Plot, layout: PlotLayout): DrawnPlot {
  const frame = axisFrame(plot, layout);
  const places = pixelPlaces(frame);
  // Later ones cover earlier ones: the faint ones come first.
  const points = [...plot.points].sort((a, b) => Number(b.faded) - Number(a.faded));
  const axes = drawPlotAxes(plot, layout, frame);
  const labels = drawPlotLabels({ ...plot, points }, layout, frame, axes.bottom);
  return {
    content: [
      axes.content,
      ...plot.lines.flatMap((line) => drawPlotLine(line, places)),
      ...points.map((point) => drawPlotPoint(point, places)),
      labels.content,
    ].join(""),
    height: Math.ceil(labels.bottom),
  };
}
