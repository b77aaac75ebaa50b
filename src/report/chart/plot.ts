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

/**
 * A mark. Places are from 0 (left, bottom) to 1 (right, top); a mark beyond stands at the edge with
 * an arrow.
 */
export interface PlotPoint {
  /** Name by which scripts find it; the same in all charts of a page. */
  readonly id: string;
  readonly x: number;
  readonly y: number;
  /** Ends of its whisker along y; null without one. */
  readonly whisker: readonly [number, number] | null;
  /** Ends of its whisker along x. */
  readonly across?: readonly [number, number] | null;
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
  /** Where the plot begins, below a legend. */
  readonly top: number;
  /** Height between the axes. */
  readonly plotHeight: number;
  readonly fontSize: number;
  /** How far from its mark a name may stand. */
  readonly labelReach: number;
}
