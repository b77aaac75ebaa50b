import { placeCost, walkFront } from "../../../evaluation/analysis/walk-front.ts";
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
  /** Only rows with the same key can be held against each other. */
  readonly comparable: readonly (string | null)[];
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
  const placed = placeRows(view, x, y, shown);
  const fronts = [...new Set(placed.map(({ group }) => group))].map((key) =>
    viewFront(
      placed.filter(({ group }) => group === key),
      x.growing,
      y.growing,
    ),
  );
  const best = new Set(fronts.flat());
  const near = view.near[`${across} ${up}`] ?? [];
  const points = placed.map(
    (point): PlotPoint => ({
      id: point.row.id,
      x: point.x,
      y: point.y,
      whisker: point.whisker,
      across: point.across,
      colour: point.row.colour,
      shape: point.row.shape,
      label: labelOf(point.row.name, best.has(point), ...point.beyond),
      faded: !best.has(point),
      near: !best.has(point) && near.includes(point.row.id),
      title: point.row.lines.join("\n"),
    }),
  );
  const lines = fronts
    .filter((front) => front.length > 1)
    .map((front): PlotLine => {
      const places = front.map((point) => [point.x, point.y] as const);
      return { kind: "front", colour: "", places };
    });
  return { x, y, lines, points, side: x.growing ? "right" : "left" };
}

/** A row in its place. */
interface PlacedRow {
  readonly row: ViewRow;
  readonly x: number;
  readonly y: number;
  readonly across: readonly [number, number] | null;
  readonly whisker: readonly [number, number] | null;
  /** Its figures in words where it lies off the chart. */
  readonly beyond: readonly [x: string | null, y: string | null];
  /** Rows of one group can be compared. */
  readonly group: string;
}

function placeRows(
  { rows }: SweepView,
  x: ViewMeasure,
  y: ViewMeasure,
  shown: ReadonlySet<string> | null,
): PlacedRow[] {
  return rows.flatMap((row, index): PlacedRow[] => {
    const [px, py] = [x.places[index] ?? null, y.places[index] ?? null];
    if (px === null || py === null || (shown && !shown.has(row.id))) return [];
    return [
      {
        row,
        x: px,
        y: py,
        across: x.whiskers[index] ?? null,
        whisker: y.whiskers[index] ?? null,
        beyond: [x.beyond[index] ?? null, y.beyond[index] ?? null],
        group: [x, y].map(({ comparable }) => comparable[index] ?? "").join(" "),
      },
    ];
  });
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

/** The front of rows that can be compared, from the best along x on. */
function viewFront(rows: readonly PlacedRow[], growingX: boolean, growingY: boolean): PlacedRow[] {
  const cheaper = growingX ? "higher" : "lower";
  const places = rows.map((row) => {
    const ends = row.across && { low: row.across[0], high: row.across[1] };
    return { ...placeCost(row.x, ends, cheaper), value: growingY ? -row.y : row.y, row };
  });
  return walkFront(places).map(({ row }) => row);
}
