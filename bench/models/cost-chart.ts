import { drawStandaloneChart } from "../../src/report/chart/draw-chart.ts";
import type { PlotAxis, PlotShape } from "../../src/report/chart/plot.ts";
import { logScale, type Scale } from "../../src/report/chart/scale.ts";
import { shortenDecimals } from "../../src/report/format.ts";
import { colourClass } from "../../src/report/palette.ts";
import type { Pair, PowerLaw } from "./power-law.ts";

/** What is drawn of one method: what was measured, and the law that fits a part of it. */
export interface CostCurve {
  readonly title: string;
  readonly points: readonly Pair[];
  /** Null where none was fitted. */
  readonly law: PowerLaw | null;
  /** The points that the law is fitted to. */
  readonly fitted: readonly Pair[];
}

/** A chart of costs over sizes, both logarithmic. */
export interface CostChart {
  readonly title: string;
  readonly x: AxisText;
  readonly y: AxisText;
  readonly curves: readonly CostCurve[];
}

interface AxisText {
  readonly title: string;
  /** Writes a value of the axis. */
  readonly format: (value: number) => string;
}

const looks: readonly { readonly colour: string; readonly shape: PlotShape }[] = [
  { colour: colourClass(2), shape: "square" },
  { colour: colourClass(4), shape: "circle" },
  { colour: colourClass(3), shape: "triangle" },
];

/** Draws it as a self-contained SVG document: marks are measured, lines are laws. */
export function drawCostChart({ title, x, y, curves }: CostChart): string {
  const points = curves.flatMap((curve) => curve.points);
  const across = logScale(
    points.map((point) => point[0]),
    [0, 1],
  );
  const up = logScale(
    points.map((point) => point[1]),
    [0, 1],
  );
  const place = (point: Pair): Pair => [across.position(point[0]), up.position(point[1])];
  return drawStandaloneChart({
    id: "cost",
    title,
    legend: curves.map((curve, i) => ({
      kind: looks[i].shape,
      colour: looks[i].colour,
      title: legendOf(curve),
    })),
    plot: {
      x: axisOf(x, across),
      y: axisOf(y, up),
      lines: curves.map((curve, i) => ({
        kind: "curve",
        colour: looks[i].colour,
        places: lineOf(curve).map(place),
      })),
      points: curves.flatMap((curve, i) =>
        curve.points.map((point) => {
          const [left, bottom] = place(point);
          const what = `${curve.title}, ${x.format(point[0])}: ${y.format(point[1])}`;
          return {
            id: what,
            x: left,
            y: bottom,
            whisker: null,
            ...looks[i],
            label: null,
            faded: curve.law !== null && !curve.fitted.includes(point),
            title: what,
          };
        }),
      ),
      side: "right",
    },
  });
}

function legendOf({ title, law }: CostCurve): string {
  return law ? `${title}: exponent ${law.exponent.toFixed(2)}` : title;
}

/** The law over what it is fitted to; without one, from point to point. */
function lineOf({ points, law, fitted }: CostCurve): readonly Pair[] {
  if (!law) return points;
  const sizes = fitted.map((point) => point[0]);
  return [Math.min(...sizes), Math.max(...sizes)].map((size) => [
    size,
    law.factor * size ** law.exponent,
  ]);
}

function axisOf({ title, format }: AxisText, { ticks, position }: Scale): PlotAxis {
  return {
    title,
    ticks: ticks.map((tick) => ({ at: position(tick), label: shortenDecimals(format(tick)) })),
  };
}
