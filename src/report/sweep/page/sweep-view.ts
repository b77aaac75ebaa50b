import type {
  Plot,
  PlotAxis,
  PlotLayout,
  PlotLine,
  PlotPoint,
  PlotShape,
} from "../../chart/plot.ts";

/** What a page's script knows of a point. */
export interface ViewRow {
  readonly id: string;
  readonly name: string;
  readonly model: string;
  readonly method: string;
  readonly bits: string;
  readonly colour: string;
  readonly shape: PlotShape;
  /** The record, in lines. */
  readonly lines: readonly string[];
  /** Null for an original. */
  readonly command: string | null;
}

/** What a page's script knows of a measure: an axis, and the places of all rows on it. */
export interface ViewMeasure extends PlotAxis {
  readonly id: string;
  /** Name in a list of axes. */
  readonly name: string;
  readonly role: "cost" | "quality";
  /** Whether larger places are better. */
  readonly growing: boolean;
  /** One a row, 0 to 1, others for those outside the axis; null where a row has no figure. */
  readonly places: readonly (number | null)[];
  /** The values in words of those outside the axis. */
  readonly beyond: readonly (string | null)[];
  readonly whiskers: readonly (readonly [number, number] | null)[];
}

/** Rows and measures of a page, from which each of its charts is made. */
export interface SweepView {
  readonly rows: readonly ViewRow[];
  readonly measures: readonly ViewMeasure[];
  /** Rows that are beaten by the front of two measures, but not clearly: ids by `x y`. */
  readonly near: Readonly<Record<string, readonly string[]>>;
}

/** What the script reads from the page. */
export interface PageData {
  readonly view: SweepView;
  /** Charts that are redrawn when the reader changes a choice, by their names. */
  readonly charts: Readonly<Record<string, PageChart>>;
}

/** A chart that the script draws: its axes, and the layout of its drawings by their size. */
interface PageChart {
  readonly x: string;
  readonly y: string;
  readonly layouts: Readonly<Record<string, PlotLayout>>;
}

/**
 * Makes the chart of one measure over another from the rows that `shown` names (all without it):
 * the front, with names, and the dominated points faintly.
 */
export function plotView(
  view: SweepView,
  across: string,
  up: string,
  shown: ReadonlySet<string> | null,
): Plot | null {
  const x = view.measures.find(({ id }) => id === across);
  const y = view.measures.find(({ id }) => id === up);
  if (!x || !y) return null;
  const placed = view.rows.flatMap((row, index) => {
    const [px, py] = [x.places[index] ?? null, y.places[index] ?? null];
    if (px === null || py === null || (shown && !shown.has(row.id))) return [];
    const beyond = [x.beyond[index] ?? null, y.beyond[index] ?? null] as const;
    return [{ row, x: px, y: py, whisker: y.whiskers[index] ?? null, beyond }];
  });
  const front = viewFront(placed, x.growing, y.growing);
  const near = view.near[`${across} ${up}`] ?? [];
  const points = placed.map(
    (point): PlotPoint => ({
      id: point.row.id,
      x: point.x,
      y: point.y,
      whisker: point.whisker,
      colour: point.row.colour,
      shape: point.row.shape,
      label: labelOf(point.row.name, front.includes(point), ...point.beyond),
      faded: !front.includes(point),
      near: !front.includes(point) && near.includes(point.row.id),
      title: point.row.lines.join("\n"),
    }),
  );
  const line: PlotLine = {
    kind: "front",
    colour: "",
    places: front.map((point) => [point.x, point.y]),
  };
  const side = x.growing ? "right" : "left";
  return { x, y, lines: line.places.length > 1 ? [line] : [], points, side };
}

/** What stands beside a point: its name if asked for, and off the chart what its figures are. */
export function labelOf(
  name: string,
  named: boolean,
  x: string | null,
  y: string | null,
): string | null {
  const figures = [y, x].filter((text) => text !== null).join(", ");
  if (figures === "") return named ? name : null;
  return `${name}: ${figures}`;
}

/** The points that no other is at least as good as in both ways, from the best along x on. */
function viewFront<T extends { readonly x: number; readonly y: number }>(
  points: readonly T[],
  growingX: boolean,
  growingY: boolean,
): T[] {
  const [signX, signY] = [growingX ? -1 : 1, growingY ? 1 : -1];
  const sorted = [...points].sort((a, b) => signX * (a.x - b.x) || signY * (b.y - a.y));
  const front: T[] = [];
  let best = -Infinity;
  for (const point of sorted) {
    if (signY * point.y <= best) continue;
    best = signY * point.y;
    front.push(point);
  }
  return front;
}
