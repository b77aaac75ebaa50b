import type { Interval } from "../../evaluation/statistics/interval.ts";
import { type AxisFigure, heldValues } from "../chart/held-values.ts";
import type { PlotAxis } from "../chart/plot.ts";
import { linearScale, logScale } from "../chart/scale.ts";
import { shortenDecimals } from "../format.ts";
import type { Measure } from "./measures.ts";

/** An axis, and the way from a value to its place on it. */
export interface MeasureAxis extends PlotAxis {
  /** Place of a value: 0 to 1, outside of that for those that the axis does not hold. */
  readonly place: (value: number) => number;
  /** The value in words where it lies outside of the axis; null inside. */
  readonly beyond: (value: number) => string | null;
  /** Whether larger places are better. */
  readonly growing: boolean;
}

/** A place that is outside on every axis: JSON knows no infinite numbers. */
const farOff = 1e6;

/**
 * Makes the axis of a measure; up is good on those of quality. It holds all figures but the few at
 * its worse end that would crush the others.
 */
export function measureAxis(
  measure: Pick<Measure, "title" | "role" | "scale" | "better" | "format">,
  figures: readonly AxisFigure[],
): MeasureAxis {
  const { title, role, scale, better, format } = measure;
  const reversed = role === "quality" && better === "lower";
  const held = heldValues(figures, { scale, worse: better === "lower" ? "high" : "low" });
  const make = scale === "logarithmic" ? logScale : linearScale;
  const { position, ticks } = make(held, reversed ? [1, 0] : [0, 1]);
  const place = (value: number): number =>
    Math.min(farOff, Math.max(-farOff, Number(position(value).toFixed(4))));
  const notes = [
    ...(scale === "logarithmic" ? ["log"] : []),
    ...(reversed ? ["up is better"] : []),
  ];
  const labels = ticks.map((tick) => shortenDecimals(format(tick)));
  return {
    title,
    ...(notes.length > 0 && { note: notes.join(", ") }),
    // Ticks closer together than their digits tell say nothing.
    ticks: ticks.flatMap((tick, index) => {
      const label = labels[index] ?? "";
      return label === labels[index - 1] ? [] : [{ at: place(tick), label }];
    }),
    place,
    beyond: (value) => (place(value) < 0 || place(value) > 1 ? format(value) : null),
    growing: reversed || better === "higher",
  };
}

/** Places of the ends of an interval, the lower one first. */
export function placeInterval(
  { place }: Pick<MeasureAxis, "place">,
  { low, high }: Pick<Interval, "low" | "high">,
): readonly [number, number] {
  const [one, other] = [place(low), place(high)];
  return one < other ? [one, other] : [other, one];
}
