import type { Interval } from "../../evaluation/statistics/interval.ts";
import type { PlotAxis } from "../chart/plot.ts";
import { linearScale, logScale } from "../chart/scale.ts";
import { shortenDecimals } from "../format.ts";
import type { Measure } from "./measures.ts";

/** A figure that an axis may hold. */
export interface Figure {
  readonly value: number;
  readonly interval: Interval | null;
}

/** An axis, and the way from a value to its place on it. */
export interface MeasureAxis extends PlotAxis {
  /** Place of a value: 0 to 1, below 0 for those that the axis does not hold. */
  readonly place: (value: number) => number;
  /** Whether larger places are better. */
  readonly growing: boolean;
}

/**
 * Makes the axis of a measure; up is good on those of quality. It holds all costs, and the better
 * qualities with their intervals: figures far behind the others, of broken models, get places below
 * 0.
 */
export function measureAxis(
  measure: Pick<Measure, "title" | "role" | "scale" | "better" | "format">,
  figures: readonly Figure[],
): MeasureAxis {
  const { title, role, scale, better, format } = measure;
  const reversed = role === "quality" && better === "lower";
  const shown = reversed ? withoutBroken(figures, scale) : figures;
  const held = shown.flatMap(({ value, interval }) =>
    interval ? [value, interval.low, interval.high] : [value],
  );
  const make = scale === "logarithmic" ? logScale : linearScale;
  const { position, ticks } = make(held, reversed ? [1, 0] : [0, 1]);
  const place = (value: number): number => Number(position(value).toFixed(4));
  const notes = [
    ...(scale === "logarithmic" ? ["log"] : []),
    ...(reversed ? ["up is better"] : []),
  ];
  return {
    title,
    ...(notes.length > 0 && { note: notes.join(", ") }),
    ticks: ticks.map((tick) => ({ at: place(tick), label: shortenDecimals(format(tick)) })),
    place,
    growing: reversed || better === "higher",
  };
}

/**
 * Leaves out figures, of which lower ones are better, that lie further behind the better three
 * quarters than these stretch, and further than half a nat: they would press all others into a
 * corner.
 */
function withoutBroken(figures: readonly Figure[], scale: Measure["scale"]): readonly Figure[] {
  const height = ({ value }: Figure): number => (scale === "logarithmic" ? Math.log(value) : value);
  const sorted = figures.map(height).sort((a, b) => a - b);
  const best = sorted[0] ?? 0;
  const last = sorted[Math.ceil(0.75 * sorted.length) - 1] ?? best;
  return figures.filter((figure) => height(figure) <= last + Math.max(last - best, 0.5));
}
