import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describeMachine, type MachineDescription } from "../src/platform/node.ts";
import { formatNumber } from "../src/report/format.ts";
import { plainStyle } from "../src/report/style.ts";
import { formatTable } from "../src/report/table.ts";

/** One line of a benchmark's result. */
export interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Smallest and largest of the single runs. */
  readonly spread?: readonly [number, number];
  /** What the value should reach, in words, and whether it does. */
  readonly goal?: { readonly text: string; readonly met: boolean };
  /** What the record should say besides, such as which kernels of a yardstick ran. */
  readonly detail?: string;
}

/** What a benchmark file exports as its default. */
export interface Benchmark {
  readonly name: string;
  readonly title: string;
  readonly run: (note: (line: string) => void) => Promise<readonly Row[]>;
}

/** Seconds of single runs. */
export interface Timing {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/**
 * Times tasks in turn, A B C A B C …, so that all see the same drift of the machine's speed; the
 * first round does not count.
 */
export async function interleave<Name extends string>(
  tasks: Readonly<Record<Name, () => Promise<unknown>>>,
  rounds: number,
): Promise<Record<Name, Timing>> {
  const names = Object.keys(tasks) as Name[];
  const seconds = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    number[]
  >;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const started = performance.now();
      await tasks[name]();
      if (round > 0) seconds[name].push((performance.now() - started) / 1000);
    }
  }
  return Object.fromEntries(names.map((name) => [name, timingOf(seconds[name])])) as Record<
    Name,
    Timing
  >;
}

/** Median and range of some numbers. */
export function timingOf(values: readonly number[]): Timing {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? 0) + sorted[middle]) / 2;
  return { median, least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0 };
}

/** A row of work per second: `work` in 10^9, over the timing. */
export function rateRow(what: string, giga: number, timing: Timing, unit: string): Row {
  const { median, least, most } = timing;
  return { what, value: giga / median, unit, spread: [giga / most, giga / least] };
}

/** A goal that a value has to reach from below or, with `atMost`, from above. */
export function goal(
  value: number,
  bound: number,
  unit = "",
  atMost = false,
): NonNullable<Row["goal"]> {
  const met = atMost ? value <= bound : value >= bound;
  return { text: `${atMost ? "≤" : "≥"} ${bound}${unit && ` ${unit}`}`, met };
}

/** Lays rows out as a table. */
export function formatRows(rows: readonly Row[]): string[] {
  const columns = [
    { header: "what" },
    { header: "median", align: "right" as const },
    { header: "unit" },
    { header: "range", align: "right" as const },
    { header: "goal" },
  ];
  const cells = rows.map((row) => [
    row.what,
    formatNumber(row.value),
    row.unit,
    row.spread ? `${formatNumber(row.spread[0])} – ${formatNumber(row.spread[1])}` : "",
    row.goal ? `${row.goal.text}: ${row.goal.met ? "met" : "missed"}` : "",
  ]);
  return formatTable(columns, cells, { width: 120, style: plainStyle });
}

/** Writes a benchmark's result beside the machine it was made on. */
export function saveResult(benchmark: Benchmark, rows: readonly Row[]): string {
  const directory = fileURLToPath(new URL("results/", import.meta.url));
  mkdirSync(directory, { recursive: true });
  const machine: MachineDescription = describeMachine();
  const document = { benchmark: benchmark.name, date: new Date().toISOString(), machine, rows };
  const path = `${directory}${benchmark.name}.json`;
  writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
  return path;
}
