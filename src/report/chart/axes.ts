import type { Scale } from "./scale.ts";
import { element, escapeMarkup } from "./svg.ts";

/** Where the plot stands in the drawing, in pixels from the top left. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** One axis: its scale, what it shows, and how its numbers are written. */
export interface Axis {
  readonly scale: Scale;
  readonly title: string;
  readonly format: (value: number) => string;
}

/**
 * Draws grid lines, numbers and titles of two axes. Colours come from the classes `grid`, `tick` and
 * `title`, which the drawing's style sets.
 */
export function drawAxes(frame: Frame, x: Axis, y: Axis): string[] {
  const { left, right, top, bottom } = frame;
  const parts: string[] = [];
  for (const tick of x.scale.ticks) {
    const at = x.scale.position(tick);
    parts.push(
      element("line", { class: "grid", x1: at, x2: at, y1: top, y2: bottom }),
      text(x.format(tick), { class: "tick", x: at, y: bottom + 17, "text-anchor": "middle" }),
    );
  }
  for (const tick of y.scale.ticks) {
    const at = y.scale.position(tick);
    parts.push(
      element("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }),
      text(y.format(tick), { class: "tick", x: left - 8, y: at + 4, "text-anchor": "end" }),
    );
  }
  parts.push(
    text(x.title, { class: "title", x: right, y: bottom + 36, "text-anchor": "end" }),
    text(y.title, { class: "title", x: left, y: top - 12 }),
  );
  return parts;
}

/** Writes a text element. */
export function text(content: string, attributes: Parameters<typeof element>[1]): string {
  return element("text", attributes, [escapeMarkup(content)]);
}
