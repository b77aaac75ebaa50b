import { clipLine, clipSpan, toEdge } from "./clip-line.ts";
import type { Frame } from "./place-labels.ts";
import type { PlotLine, PlotPoint, PlotShape } from "./plot.ts";
import { element, escapeMarkup } from "./svg.ts";

/** Pixels that a mark at the edge keeps from it, for its arrow. */
const arrowRoom = 15;

/** Where places of a plot are in its drawing, in pixels. */
export interface PixelPlaces {
  readonly x: (at: number) => number;
  readonly y: (at: number) => number;
}

/** Finds the pixels of places in a frame. */
export function pixelPlaces({ left, right, top, bottom }: Frame): PixelPlaces {
  return {
    x: (at) => left + at * (right - left),
    y: (at) => bottom + at * (top - bottom),
  };
}

/** Where the mark of a point stands: at its place, or at the edge that lies nearest to it. */
export function markPlace(point: PlotPoint, { x, y }: PixelPlaces): readonly [number, number] {
  const [dx, dy] = offSides(point);
  return [x(toEdge(point.x)) - arrowRoom * dx, y(toEdge(point.y)) + arrowRoom * dy];
}

/** Sides on which a point lies outside: -1 left or below, 1 right or above, 0 for none. */
function offSides({ x, y }: PlotPoint): readonly [number, number] {
  const side = (at: number): number => (at < 0 ? -1 : at > 1 ? 1 : 0);
  return [side(x), side(y)];
}

/** Draws a mark with its whiskers, with an arrow to where it lies when that is outside. */
export function drawPlotPoint(point: PlotPoint, places: PixelPlaces): string {
  const [left, middle] = markPlace(point, places);
  const [dx, dy] = offSides(point);
  const children = [element("title", {}, [escapeMarkup(point.title)])];
  if (dx !== 0 || dy !== 0) {
    const turn = Math.round((Math.atan2(-dx || 0, -dy) * 180) / Math.PI);
    const d = "M0 5V13M-3 10L0 13L3 10";
    children.push(element("path", { class: "arrow", d, transform: `rotate(${turn})` }));
  } else {
    children.push(...drawWhiskers(point, places, left, middle));
  }
  children.push(element("path", { class: "mark", d: markPath(point.shape, 5.5) }));
  return element(
    "g",
    {
      class: `point ${point.colour}${point.faded ? " faded" : ""}${point.near ? " near" : ""}`,
      "data-point": point.id,
      transform: `translate(${left.toFixed(1)} ${middle.toFixed(1)})`,
    },
    children,
  );
}

/** Whiskers along both axes; an end that lies outside of the chart has no cap. */
function drawWhiskers(
  { whisker, across }: PlotPoint,
  { x, y }: PixelPlaces,
  left: number,
  middle: number,
): string[] {
  const path = (d: string): string => element("path", { class: "whisker", d });
  const up = whisker && clipSpan(whisker);
  const along = across && clipSpan(across);
  return [
    ...(whisker && up
      ? [
          path(
            whiskerPath(
              up.map((at) => y(at) - middle),
              whisker,
              (a, b) => `${a} ${b}`,
            ),
          ),
        ]
      : []),
    ...(across && along
      ? [
          path(
            whiskerPath(
              along.map((at) => x(at) - left),
              across,
              (a, b) => `${b} ${a}`,
            ),
          ),
        ]
      : []),
  ];
}

/** `at` writes a place from what lies across the whisker and what lies along it. */
function whiskerPath(
  ends: readonly number[],
  whole: readonly [number, number],
  at: (across: string, along: string) => string,
): string {
  const [low = "0", high = "0"] = ends.map((end) => end.toFixed(1));
  const cap = (end: string): string => `M${at("-3", end)}L${at("3", end)}`;
  return (
    (whole[0] >= 0 ? cap(low) : "") +
    (whole[1] <= 1 ? cap(high) : "") +
    `M${at("0", low)}L${at("0", high)}`
  );
}

/** Draws a line, as far as it lies inside of the chart. */
export function drawPlotLine(
  { kind, colour, faded, places }: PlotLine,
  { x, y }: PixelPlaces,
): string[] {
  const name = `${kind} ${colour}${faded ? " faded" : ""}`.trim();
  const write = (line: PlotLine["places"]): string =>
    line.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
  if (kind === "band") {
    const inside = places.map(([px, py]) => [toEdge(px), toEdge(py)] as const);
    return [element("polygon", { class: name, points: write(inside) })];
  }
  return clipLine(places).map((part) => element("polyline", { class: name, points: write(part) }));
}

/** Outline of a mark around 0, 0; all shapes have about the area of a circle of this radius. */
export function markPath(shape: PlotShape, radius: number): string {
  const ring = (corners: number, size: number, turn: number): string => {
    const places = Array.from({ length: corners }, (_, i) => {
      const angle = turn + (2 * Math.PI * i) / corners;
      return `${(size * Math.sin(angle)).toFixed(2)} ${(-size * Math.cos(angle)).toFixed(2)}`;
    });
    return `M${places.join("L")}Z`;
  };
  const r = radius;
  const [s, a] = [1.25 * r, 0.42 * r];
  switch (shape) {
    case "circle":
      return `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;
    case "square":
      return ring(4, 1.27 * r, Math.PI / 4);
    case "triangle":
      return ring(3, 1.45 * r, 0);
    case "diamond":
      return ring(4, 1.35 * r, 0);
    case "down":
      return ring(3, 1.45 * r, Math.PI);
    case "pentagon":
      return ring(5, 1.2 * r, 0);
    case "plus":
      return `M${-a} ${-s}H${a}V${-a}H${s}V${a}H${a}V${s}H${-a}V${a}H${-s}V${-a}H${-a}Z`;
    case "star": {
      const places = Array.from({ length: 10 }, (_, i) => {
        const size = (i % 2 === 0 ? 1.5 : 0.75) * r;
        const angle = (Math.PI * i) / 5;
        return `${(size * Math.sin(angle)).toFixed(2)} ${(-size * Math.cos(angle)).toFixed(2)}`;
      });
      return `M${places.join("L")}Z`;
    }
  }
}
