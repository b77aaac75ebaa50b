import { halfWidth, type Interval } from "./statistics/interval.ts";
import type { Better } from "./statistics/paired-comparison.ts";
import { valueAt } from "../util/field-path.ts";

/** How the values of a figure are written. */
export type FigureFormat =
  | "bits"
  | "bytes"
  | "count"
  | "duration"
  | "number"
  | "perplexity"
  | "share";

/** What stands behind `±`: half the width of the 95 % interval, or the standard error. */
export type Spread = "interval" | "error";

/**
 * Tables for people: of an evaluation's models, of a sweep's points, of an evaluation's tasks, of
 * what an evaluation's models wrote.
 */
export type FigureTable = "evaluation" | "sweep" | "tasks" | "generation";

/**
 * A figure's column: its place, and for each table that has it the order in which columns go when
 * the table is too wide, the highest first; 0 never.
 */
interface FigureColumn extends Readonly<Partial<Record<FigureTable, number>>> {
  readonly header: string;
  readonly at: number;
  /** Cells show the interval or the standard error. */
  readonly spread?: true;
}

/** A figure that is measured: what shows, keeps, compares or orders it reads this. */
export interface Figure {
  /** Name in pages and files: `size`. */
  readonly id: string;
  /** What it is a figure of: a model as a whole, a text, a task, or what the model writes. */
  readonly of: "model" | "text" | "task" | "generation";
  /** Averages of tasks have it too. */
  readonly averaged?: true;
  /** What axes call it, and the unit behind that. */
  readonly title: string;
  readonly unit?: string;
  /** The title in a word or two, for headlines; by default the title. */
  readonly short?: string;
  readonly better: Better;
  readonly scale: "linear" | "logarithmic";
  readonly format: FigureFormat;
  /** Where it stands in what was measured: `bitsPerWeight.linear`; none for what analyses find. */
  readonly path?: string;
  /** Where its interval and its standard error stand there. */
  readonly interval?: string;
  readonly error?: string;
  /** Columns in the database: of the value, and of low, high and level, or of the error. */
  readonly sql?: readonly string[];
  /** The same in CSV, where the name of the text or task stands in front. */
  readonly csv?: readonly string[];
  /** Its column in tables for people. */
  readonly column?: FigureColumn;
  /** Stands below the table of an evaluation, with its interval. */
  readonly foot?: true;
  /**
   * Qualities are held against it: it is an axis that can be chosen, and perhaps that of a chart of
   * every report, and of a Pareto front. `noise` is for costs that another run gives anew: the
   * factor by which a figure may be off either way, where the run recorded its spread and where it
   * did not.
   */
  readonly cost?: {
    readonly chart?: true;
    readonly front?: true;
    readonly noise?: { readonly recorded: number; readonly unknown: number };
  };
  /** What differences of it are told in. */
  readonly told?: "percent" | "points" | "nats";
  /** Models of several sizes are held against each other by it: a curve over sizes says something. */
  readonly overSizes?: true;
}

/** What a figure is called in headlines and sentences. */
export function figureName({ short, title }: Figure): string {
  return short ?? title;
}

/** Reads a figure off what was measured; null where it was not. */
export function readFigure({ path }: Figure, measured: unknown): number | null {
  return path === undefined ? null : readNumber(measured, path);
}

/** Reads what a cost may really be: its spread, or what is usual for it; null for exact ones. */
export function readCostSpread(
  { path, interval, cost }: Figure,
  measured: unknown,
): Pick<Interval, "low" | "high"> | null {
  const value = path === undefined ? null : readNumber(measured, path);
  if (value === null || !cost?.noise) return null;
  const found = interval === undefined ? null : valueAt(measured, interval.split("."));
  const factor = found ? cost.noise.recorded : cost.noise.unknown;
  const { low, high } = (found ?? { low: value, high: value }) as Interval;
  return { low: Math.min(low, value / factor), high: Math.max(high, value * factor) };
}

/** Reads half the width of a figure's interval, or its standard error; null where it has none. */
export function readSpread(
  { interval, error }: Figure,
  measured: unknown,
  spread: Spread = "interval",
): number | null {
  if (spread === "error") return error === undefined ? null : readNumber(measured, error);
  const found = interval === undefined ? null : valueAt(measured, interval.split("."));
  return found ? halfWidth(found as Interval) : null;
}

/** Paths of what `sql` and `csv` name: the value, and its standard error or else its interval. */
export function figurePaths({ path, interval, error }: Figure): string[] {
  if (path === undefined) return [];
  if (error !== undefined) return [path, error];
  const ends = ["low", "high", "level"] as const;
  return [path, ...(interval === undefined ? [] : ends.map((end) => `${interval}.${end}`))];
}

/** Reads the number at a path; null where there is none. */
export function readNumber(measured: unknown, path: string): number | null {
  const found = valueAt(measured, path.split("."));
  return typeof found === "number" ? found : null;
}
