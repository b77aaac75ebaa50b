import { lineHeight } from "./flow-texts.ts";
import type { Frame } from "./place-labels.ts";
import type { Plot, PlotAxis, PlotLayout } from "./plot.ts";
import { element, escapeMarkup } from "./svg.ts";
import { breakText, textWidth } from "./text-width.ts";

const rightMargin = 14;
const leastLeft = 40;
/** Lines that the title of an axis may have. */
const mostLines = 3;

/** Finds the room between the axes: beside the numbers of the one, below the title of the other. */
export function axisFrame({ y }: Plot, { width, top, plotHeight, fontSize }: PlotLayout): Frame {
  const widest = Math.max(0, ...y.ticks.map(({ label }) => textWidth(label, fontSize)));
  const above = top + titleLines(y, width, fontSize).length * lineHeight(fontSize) + fontSize / 2;
  return {
    left: Math.min(Math.max(leastLeft, Math.ceil(widest) + 12), width / 3),
    right: width - rightMargin,
    top: above,
    bottom: above + plotHeight,
  };
}

/** Draws grid lines, numbers where they have room, and titles; `bottom` is where they end. */
export function drawPlotAxes(
  { x, y }: Plot,
  { width, top, fontSize }: PlotLayout,
  frame: Frame,
): { readonly content: string; readonly bottom: number } {
  const step = lineHeight(fontSize);
  const below = frame.bottom + fontSize + 8;
  const parts = [...drawAcross(x, frame, below, fontSize), ...drawUp(y, frame, fontSize)];
  for (const [index, line] of titleLines(y, width, fontSize).entries()) {
    const place = { class: "title", x: 2, y: top + fontSize + index * step };
    parts.push(element("text", place, [escapeMarkup(line)]));
  }
  const under = titleLines(x, width - rightMargin, fontSize);
  for (const [index, line] of under.entries()) {
    const place = { class: "title", x: frame.right, y: below + 2 + (index + 1) * step };
    parts.push(element("text", { ...place, "text-anchor": "end" }, [escapeMarkup(line)]));
  }
  return { content: parts.join(""), bottom: below + 2 + under.length * step + fontSize / 2 };
}

/** Grid lines of x with their numbers, without those that would touch another or the edge. */
function drawAcross(
  { ticks }: PlotAxis,
  { left, right, top, bottom }: Frame,
  baseline: number,
  fontSize: number,
): string[] {
  const parts: string[] = [];
  let end = 0;
  for (const { at, label } of ticks) {
    const x = left + at * (right - left);
    const half = textWidth(label, fontSize) / 2;
    parts.push(element("line", { class: "grid", x1: x, x2: x, y1: top, y2: bottom }));
    if (x - half < end || x + half > right + rightMargin) continue;
    const place = { class: "tick", x, y: baseline, "text-anchor": "middle" };
    parts.push(element("text", place, [escapeMarkup(label)]));
    end = x + half + 8;
  }
  return parts;
}

/** Grid lines of y with their numbers, without those that would touch another. */
function drawUp(
  { ticks }: PlotAxis,
  { left, right, top, bottom }: Frame,
  fontSize: number,
): string[] {
  const parts: string[] = [];
  let last = Number.NaN;
  for (const { at, label } of ticks) {
    const y = bottom + at * (top - bottom);
    parts.push(element("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }));
    if (Math.abs(y - last) < 1.3 * fontSize) continue;
    const place = { class: "tick", x: left - 8, y: y + fontSize / 3, "text-anchor": "end" };
    parts.push(element("text", place, [escapeMarkup(label)]));
    last = y;
  }
  return parts;
}

/** The title with its note where that fits one line, else the title in as many as it needs. */
function titleLines({ title, note }: PlotAxis, width: number, fontSize: number): string[] {
  const room = width - 4;
  const whole = note ? `${title} (${note})` : title;
  if (textWidth(whole, fontSize) <= room) return [whole];
  return breakText(title, room, fontSize, mostLines);
}
