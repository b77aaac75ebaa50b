import { type Axis, drawAxes, type Frame, text } from "./axes.ts";
import { type LabelPlace, placeLabels } from "./place-labels.ts";
import { element, escapeMarkup } from "./svg.ts";

/** A mark of the chart. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly label: string;
  /** Name of its colour: an entry of the legend's `colours`. */
  readonly colour: string;
  /** Name of its shape: an entry of the legend's `shapes`. */
  readonly shape: string;
  /** What is shown when the pointer rests on it; lines. */
  readonly details: readonly string[];
}

/** Shapes of marks. */
export type MarkShape = "circle" | "diamond" | "ring";

/** What colours and shapes mean, in the order in which the legend shows them. */
export interface Legend {
  /** Colours are classes of the page's style. */
  readonly colours: ReadonlyMap<string, { readonly className: string; readonly title: string }>;
  readonly shapes: ReadonlyMap<string, { readonly shape: MarkShape; readonly title: string }>;
}

const width = 760;
const height = 440;
const frame: Frame = { left: 64, right: width - 16, top: 66, bottom: height - 50 };

/** Range of positions for the scale of the x axis. */
export const xRange = [frame.left, frame.right] as const;
/** Range of positions for the scale of the y axis; values grow upwards. */
export const yRange = [frame.bottom, frame.top] as const;

/** Draws points with their names over two axes, as SVG; its colours come from the page's style. */
export function drawScatterChart(
  title: string,
  axes: { readonly x: Axis; readonly y: Axis },
  points: readonly ChartPoint[],
  legend: Legend,
): string {
  const placed = points.map(({ x, y, label }) => ({
    x: axes.x.scale.position(x),
    y: axes.y.scale.position(y),
    label,
  }));
  const places = placeLabels(placed, [], frame, { fontSize: 11, side: "right", reach: 76 });
  const marks = points.map((point, index) => {
    const { x, y } = placed[index];
    const place = places[index] ?? undefined;
    const colour = legend.colours.get(point.colour)?.className ?? "";
    const shape = legend.shapes.get(point.shape)?.shape ?? "circle";
    return element("g", { class: `point ${colour} p${index}` }, [
      element("title", {}, [escapeMarkup(point.details.join("\n"))]),
      ...drawLeader(x, y, place),
      drawMark(shape, x, y),
      text(point.label, { x: place?.x, y: place?.y, "text-anchor": place?.anchor, class: "label" }),
    ]);
  });
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": title,
      class: "chart",
    },
    [...drawLegend(legend), ...drawAxes(frame, axes.x, axes.y), ...marks],
  );
}

/** A line from a point to its name, where the two are apart. */
function drawLeader(x: number, y: number, place: LabelPlace | undefined): string[] {
  if (!place || Math.abs(place.y - 4 - y) < 20) return [];
  return [element("line", { class: "leader", x1: x, y1: y, x2: place.x, y2: place.y - 4 })];
}

function drawMark(shape: MarkShape, x: number, y: number): string {
  if (shape === "diamond") {
    const points = `${at(x)},${at(y - 7)} ${at(x + 7)},${at(y)} ${at(x)},${at(y + 7)} ${at(x - 7)},${at(y)}`;
    return element("polygon", { class: "mark", points });
  }
  return element("circle", { class: `mark ${shape}`, cx: x, cy: y, r: 5 });
}

function at(position: number): string {
  return position.toFixed(1);
}

function drawLegend({ colours, shapes }: Legend): string[] {
  const parts: string[] = [];
  let x = frame.left + 6;
  const add = (className: string, shape: MarkShape, title: string): void => {
    parts.push(
      element("g", { class: className }, [
        drawMark(shape, x, 16),
        text(title, { class: "tick", x: x + 11, y: 20 }),
      ]),
    );
    x += 26 + 5.9 * title.length;
  };
  for (const { className, title } of colours.values()) add(className, "circle", title);
  x += 8;
  for (const { shape, title } of shapes.values()) add("ink", shape, title);
  return parts;
}
