import type { ModelFigures, TextMeasurement } from "./evaluation.ts";
import { halfWidth, type Interval } from "./statistics/interval.ts";
import type { Better } from "./statistics/paired-comparison.ts";
import type { TaskScore } from "./tasks/task.ts";

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

/** Tables for people: of an evaluation's models, of a sweep's points, of an evaluation's tasks. */
export type FigureTable = "evaluation" | "sweep" | "tasks";

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
  /** What it is a figure of: a model as a whole, a text, or a task. */
  readonly of: "model" | "text" | "task";
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
   * every report, and of a Pareto front.
   */
  readonly cost?: { readonly chart?: true; readonly front?: true };
  /** What differences of it are told in. */
  readonly told?: "percent" | "points" | "nats";
}

/** Paths to the numbers of `T`. */
type PathOf<T> = {
  [K in keyof T & string]: NonNullable<T[K]> extends number
    ? K
    : NonNullable<T[K]> extends string | readonly unknown[]
      ? never
      : `${K}.${PathOf<NonNullable<T[K]>>}`;
}[keyof T & string];

type IntervalOf<Path> = Path extends `${infer Place}.low` ? Place : never;

interface Entry<Of extends Figure["of"], T> extends Omit<Figure, "id"> {
  readonly of: Of;
  readonly path?: PathOf<T>;
  readonly interval?: IntervalOf<PathOf<T>>;
  readonly error?: PathOf<T>;
}

function define<Id extends string>(
  entries: Record<
    Id,
    Entry<"model", ModelFigures> | Entry<"text", TextMeasurement> | Entry<"task", TaskScore>
  >,
): Readonly<Record<Id, Figure>> {
  const all = Object.entries<Omit<Figure, "id">>(entries);
  return Object.fromEntries(all.map(([id, entry]) => [id, { id, ...entry }])) as Record<Id, Figure>;
}

/** All figures by their ids, in the order in which files list them. */
export const figures = define({
  parameters: {
    of: "model",
    title: "parameters",
    better: "lower",
    scale: "logarithmic",
    format: "count",
    path: "parameters",
    sql: ["parameters"],
    csv: ["parameters"],
  },
  size: {
    of: "model",
    title: "size of the weight file",
    short: "size",
    better: "lower",
    scale: "logarithmic",
    format: "bytes",
    path: "sizeBytes",
    sql: ["size_bytes"],
    csv: ["size bytes"],
    column: { header: "size", at: 2, evaluation: 3, sweep: 0 },
    cost: { chart: true, front: true },
  },
  "linear-size": {
    of: "model",
    title: "size of the linear layers",
    better: "lower",
    scale: "logarithmic",
    format: "bytes",
    path: "linearBytes",
    sql: ["linear_bytes"],
    cost: { front: true },
  },
  bits: {
    of: "model",
    title: "bits a weight, linear layers",
    short: "bits a weight",
    better: "lower",
    scale: "logarithmic",
    format: "bits",
    path: "bitsPerWeight.linear",
    sql: ["bits_per_weight"],
    csv: ["linear bits/weight"],
    column: { header: "bits/weight", at: 1, evaluation: 1, sweep: 1 },
    cost: { chart: true, front: true },
  },
  "file-bits": {
    of: "model",
    title: "bits a weight, whole file",
    short: "bits a weight of the file",
    better: "lower",
    scale: "logarithmic",
    format: "bits",
    path: "bitsPerWeight.file",
    sql: ["file_bits_per_weight"],
    csv: ["file bits/weight"],
    cost: { front: true },
  },
  perplexity: {
    of: "text",
    title: "perplexity",
    better: "lower",
    scale: "logarithmic",
    format: "perplexity",
    path: "perplexity",
    interval: "interval",
    sql: ["perplexity", "low", "high", "level"],
    csv: ["perplexity", "perplexity low", "perplexity high"],
    column: { header: "perplexity", at: 3, spread: true, evaluation: 0, sweep: 0 },
    told: "percent",
  },
  loss: {
    of: "text",
    title: "loss above the original",
    unit: "nats a token",
    better: "lower",
    scale: "linear",
    format: "number",
  },
  kl: {
    of: "text",
    title: "KL divergence",
    unit: "nats a token",
    better: "lower",
    scale: "logarithmic",
    format: "number",
    path: "klDivergence.mean",
    interval: "klDivergence.interval",
    sql: ["kl_mean", "kl_low", "kl_high"],
    csv: ["KL"],
    column: { header: "KL", at: 4, evaluation: 2, sweep: 3 },
    told: "nats",
    foot: true,
  },
  "kl-percentile": {
    of: "text",
    title: "99th percentile of the KL divergence",
    short: "99 % below",
    unit: "nats",
    better: "lower",
    scale: "logarithmic",
    format: "number",
    path: "klDivergence.percentile99",
    interval: "klDivergence.percentile99Interval",
    sql: ["kl_percentile99", "kl_percentile99_low", "kl_percentile99_high"],
    foot: true,
  },
  "kl-maximum": {
    of: "text",
    title: "largest KL divergence",
    short: "at most",
    unit: "nats",
    better: "lower",
    scale: "logarithmic",
    format: "number",
    path: "klDivergence.maximum",
    sql: ["kl_maximum"],
    foot: true,
  },
  agreement: {
    of: "text",
    title: "share of tokens with the original's most likely token",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "topTokenAgreement",
    sql: ["top_token_agreement"],
    csv: ["same top token"],
    column: { header: "same top", at: 5, evaluation: 4 },
  },
  accuracy: {
    of: "task",
    averaged: true,
    title: "accuracy",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "accuracy.mean",
    interval: "accuracy.interval",
    error: "accuracy.standardError",
    sql: ["accuracy", "accuracy_error"],
    csv: ["accuracy", "standard error"],
    column: { header: "accuracy", at: 6, spread: true, evaluation: 1, sweep: 2, tasks: 0 },
    told: "points",
  },
  "normalized-accuracy": {
    of: "task",
    title: "accuracy by length",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "normalizedAccuracy.mean",
    interval: "normalizedAccuracy.interval",
    error: "normalizedAccuracy.standardError",
    sql: ["normalized_accuracy", "normalized_error"],
    column: { header: "by length", at: 7, spread: true, tasks: 0 },
  },
  chance: {
    of: "task",
    title: "accuracy of guessing",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "chance",
    sql: ["chance"],
    column: { header: "chance", at: 5, tasks: 3 },
  },
  "above-chance": {
    of: "task",
    averaged: true,
    title: "accuracy above chance",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "accuracyAboveChance",
    sql: ["above_chance"],
    csv: ["above chance"],
    column: { header: "above chance", at: 8, tasks: 1 },
  },
  "task-perplexity": {
    of: "task",
    title: "perplexity",
    better: "lower",
    scale: "logarithmic",
    format: "perplexity",
    path: "perplexity.mean",
    column: { header: "perplexity", at: 9, tasks: 2 },
  },
  speed: {
    of: "model",
    title: "decode speed",
    unit: "tokens a second",
    better: "higher",
    scale: "logarithmic",
    format: "number",
    path: "tokensPerSecond",
    sql: ["tokens_per_second"],
    csv: ["tokens/s"],
    column: { header: "tokens/s", at: 10, evaluation: 5, sweep: 4 },
    cost: { chart: true, front: true },
  },
  time: {
    of: "model",
    title: "time to make it",
    better: "lower",
    scale: "logarithmic",
    format: "duration",
    path: "makeMs",
    sql: ["make_ms"],
    csv: ["make ms"],
    column: { header: "made in", at: 11, sweep: 5 },
    cost: { chart: true, front: true },
  },
  memory: {
    of: "model",
    title: "peak memory of making it",
    short: "memory to make it",
    better: "lower",
    scale: "logarithmic",
    format: "bytes",
    path: "peakMemoryBytes",
    sql: ["peak_memory_bytes"],
    csv: ["peak memory bytes"],
    column: { header: "memory", at: 12, evaluation: 6, sweep: 6 },
    cost: { chart: true },
  },
  "evaluation-time": {
    of: "model",
    title: "time to measure it",
    better: "lower",
    scale: "logarithmic",
    format: "duration",
    path: "evaluationMs",
    sql: ["evaluation_ms"],
    csv: ["evaluation ms"],
  },
});

/** All figures, in their order. */
export const allFigures: readonly Figure[] = Object.values(figures);

/** The figures by which models are compared, as analyses call them. */
export const qualities = {
  perplexity: figures.perplexity,
  divergence: figures.kl,
  accuracy: figures.accuracy,
} as const;

/** Kinds of qualities. */
export type QualityKind = keyof typeof qualities;

/** What a figure is called in headlines and sentences. */
export function figureName({ short, title }: Figure): string {
  return short ?? title;
}

/** Reads a figure off what was measured; null where it was not. */
export function readFigure({ path }: Figure, measured: unknown): number | null {
  return path === undefined ? null : readNumber(measured, path);
}

/** Reads half the width of a figure's interval, or its standard error; null where it has none. */
export function readSpread(
  { interval, error }: Figure,
  measured: unknown,
  spread: Spread = "interval",
): number | null {
  if (spread === "error") return error === undefined ? null : readNumber(measured, error);
  const found = interval === undefined ? null : follow(measured, interval);
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
  const found = follow(measured, path);
  return typeof found === "number" ? found : null;
}

function follow(measured: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce((at, key) => (at as Record<string, unknown> | null | undefined)?.[key], measured);
}
