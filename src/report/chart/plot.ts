import { type Frame, placeLabels } from "./place-labels.ts";
import { element, escapeMarkup } from "./svg.ts";

/** Shapes of marks, told apart without colour. */
export type PlotShape =
  | "circle"
  | "square"
  | "triangle"
  | "diamond"
  | "down"
  | "pentagon"
  | "plus"
  | "star";

/** A number on an axis; `at` is its place from 0 (left, bottom) to 1 (right, top). */
export interface PlotTick {
  readonly at: number;
  readonly label: string;
}

/** An axis: what it shows, and its numbers. */
export interface PlotAxis {
  readonly title: string;
  /** How to read it; left out where the drawing has no room. */
  readonly note?: string;
  readonly ticks: readonly PlotTick[];
}

/** A mark. Places are from 0 (left, bottom) to 1 (right, top). */
export interface PlotPoint {
  /** Name by which scripts find it; the same in all charts of a page. */
  readonly id: string;
  readonly x: number;
  readonly y: number;
  /** It lies below the chart, and stands on its edge with an arrow. */
  readonly below?: boolean;
  /** Ends of its whisker along y; null without one. */
  readonly whisker: readonly [number, number] | null;
  /** Class that gives its colour. */
  readonly colour: string;
  readonly shape: PlotShape;
  /** Name that stands beside it; null for none. */
  readonly label: string | null;
  /** Drawn faintly, behind the others. */
  readonly faded: boolean;
  /** Drawn less faintly than other faint ones. */
  readonly near?: boolean;
  /** What it is, for those who cannot see it and where no script runs. */
  readonly title: string;
}

/** A line through places, or the band between two. */
export interface PlotLine {
  readonly kind: "front" | "curve" | "band";
  readonly colour: string;
  readonly faded?: boolean;
  /** Of a band: along its upper end, then back along its lower one. */
  readonly places: readonly (readonly [number, number])[];
}

/** What a chart shows, apart from its size. */
export interface Plot {
  readonly x: PlotAxis;
  readonly y: PlotAxis;
  readonly lines: readonly PlotLine[];
  readonly points: readonly PlotPoint[];
  /** Side on which labels are tried first: where a front leaves room. */
  readonly side: "left" | "right";
}

/** Dimensions of a drawing, in pixels. */
export interface PlotLayout {
  readonly width: number;
  readonly height: number;
  readonly frame: Frame;
  readonly fontSize: number;
  /** How far from its mark a name may stand. */
  readonly labelReach: number;
}

/** Draws axes, lines, marks and names as elements of an SVG; colours come from classes. */
export function drawPlot(plot: Plot, layout: PlotLayout): string {
  const { frame } = layout;
  const x = (at: number): number => frame.left + at * (frame.right - frame.left);
  const y = (at: number): number => frame.bottom + at * (frame.top - frame.bottom);
  // An arrow below a mark needs its room above the edge.
  const heightOf = (point: PlotPoint): number => y(point.y) - (point.below ? 15 : 0);
  // Later ones cover earlier ones: the faint ones come first.
  const points = [...plot.points].sort((a, b) => Number(b.faded) - Number(a.faded));
  const lines = plot.lines.map((line) => ({
    ...line,
    places: line.places.map(([px, py]) => [x(px), y(py)] as const),
  }));
  return [
    ...drawPlotAxes(plot, layout),
    ...lines.map(drawPlotLine),
    ...points.map((point) => drawPlotPoint(point, x(point.x), heightOf(point), y)),
    ...drawPlotLabels(
      points.map((point) => ({ ...point, x: x(point.x), y: heightOf(point) })),
      lines,
      plot.side,
      layout,
    ),
  ].join("");
}

/** Draws grid lines, numbers where they have room, and titles. */
function drawPlotAxes(plot: Plot, { frame, fontSize }: PlotLayout): string[] {
  const { left, right, top, bottom } = frame;
  const parts: string[] = [];
  let end = -Infinity;
  for (const { at, label } of plot.x.ticks) {
    const x = left + at * (right - left);
    const half = 0.29 * fontSize * label.length;
    parts.push(element("line", { class: "grid", x1: x, x2: x, y1: top, y2: bottom }));
    if (x - half < end + 8 || x + half > right + 14) continue;
    const place = { class: "tick", x, y: bottom + fontSize + 6, "text-anchor": "middle" };
    parts.push(element("text", place, [escapeMarkup(label)]));
    end = x + half;
  }
  for (const { at, label } of plot.y.ticks) {
    const y = bottom + at * (top - bottom);
    const place = { class: "tick", x: left - 8, y: y + fontSize / 3, "text-anchor": "end" };
    parts.push(element("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }));
    parts.push(element("text", place, [escapeMarkup(label)]));
  }
  const under = { class: "title", x: right, y: bottom + 2.5 * fontSize + 8, "text-anchor": "end" };
  const above = { class: "title", x: 2, y: top - 10 };
  parts.push(element("text", under, [escapeMarkup(axisTitle(plot.x, right, fontSize))]));
  parts.push(element("text", above, [escapeMarkup(axisTitle(plot.y, right, fontSize))]));
  return parts;
}

/** The title with its note, the title alone, or the title cut off: what fits the width. */
function axisTitle({ title, note }: PlotAxis, width: number, fontSize: number): string {
  const most = Math.floor(width / (0.54 * fontSize));
  const whole = note ? `${title} (${note})` : title;
  if (whole.length <= most) return whole;
  return title.length <= most ? title : `${title.slice(0, most - 1)}…`;
}

function drawPlotPoint(
  point: PlotPoint,
  left: number,
  middle: number,
  y: (at: number) => number,
): string {
  const { whisker } = point;
  const children = [element("title", {}, [escapeMarkup(point.title)])];
  if (whisker) {
    const [low, high] = [y(whisker[0]) - middle, y(whisker[1]) - middle];
    const d =
      `M-3 ${low.toFixed(1)}H3M-3 ${high.toFixed(1)}H3M0 ` + `${low.toFixed(1)}V${high.toFixed(1)}`;
    children.push(element("path", { class: "whisker", d }));
  }
  if (point.below)
    children.push(element("path", { class: "whisker", d: "M0 5V13M-3 10L0 13L3 10" }));
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

function drawPlotLine({ kind, colour, faded, places }: PlotLine): string {
  return element(kind === "band" ? "polygon" : "polyline", {
    class: `${kind} ${colour}${faded ? " faded" : ""}`.trim(),
    points: places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "),
  });
}

/** Labels beside their points, with a line to distant ones; places are in pixels. */
function drawPlotLabels(
  points: readonly PlotPoint[],
  lines: readonly PlotLine[],
  side: "left" | "right",
  { frame, fontSize, labelReach }: PlotLayout,
): string[] {
  const inTheWay = lines.filter(({ kind }) => kind !== "band").map(({ places }) => places);
  const style = { fontSize, side, reach: labelReach };
  const found = placeLabels(points, inTheWay, frame, style);
  return points.flatMap(({ id, x, y, label }, index) => {
    const place = found[index];
    if (!place || label === null) return [];
    const middle = place.y - fontSize / 3;
    const leader = { class: "leader", x1: x, y1: y, x2: place.x, y2: middle };
    const attributes = { class: "label", x: place.x, y: place.y, "text-anchor": place.anchor };
    return [
      ...(Math.abs(middle - y) < 18 ? [] : [element("line", leader)]),
      element("text", { ...attributes, "data-point": id }, [escapeMarkup(label)]),
    ];
  });
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
