import type { QueryResult } from "../../sweep/results/answer-query.ts";
import { formatNumber, printable } from "../format.ts";
import type { Layout } from "../style.ts";
import { formatTable } from "../table.ts";
import { csvField } from "./sweep-csv.ts";

/** Lays out what a query gave, as wide as a terminal allows. */
export function formatQuery({ columns, rows }: QueryResult, layout: Layout): string[] {
  const numeric = columns.map((name) => rows.every((row) => typeof row[name] !== "string"));
  return formatTable(
    columns.map((header, index) => ({
      header: printable(header),
      align: numeric[index] ? ("right" as const) : ("left" as const),
      minWidth: 8,
      dropOrder: index,
    })),
    rows.map((row) => columns.map((name) => shown(row[name] ?? null))),
    layout,
  );
}

/** Writes what a query gave as CSV, with a line of headers. */
export function queryCsv({ columns, rows }: QueryResult): string {
  const line = (values: readonly (string | number | null)[]): string =>
    `${values.map(csvField).join(",")}\r\n`;
  return [columns, ...rows.map((row) => columns.map((name) => row[name] ?? null))]
    .map(line)
    .join("");
}

function shown(value: string | number | null): string {
  if (value === null) return "–";
  if (typeof value === "string") return printable(value);
  return Number.isInteger(value) ? `${value}` : formatNumber(value, 4);
}
