import { type Figure, figurePaths, readNumber } from "../../evaluation/figure.ts";
import { allFigures } from "../../evaluation/figures.ts";
import type { PointResult } from "../../sweep/results/sweep-results.ts";
import type { SweepRow } from "./sweep-row.ts";

type Value = string | number | null;

interface CsvColumn {
  readonly header: string;
  readonly value: (row: SweepRow) => Value;
}

const pointColumns: readonly CsvColumn[] = [
  { header: "model", value: ({ record }) => record.point.model },
  { header: "label", value: ({ record }) => record.point.label },
  { header: "method", value: ({ record }) => record.point.method },
  { header: "preset", value: ({ record }) => record.point.preset },
  { header: "scheme", value: ({ record }) => record.point.scheme },
  { header: "bits", value: ({ record }) => record.point.bits },
  { header: "seed", value: ({ record }) => record.point.seed },
  { header: "status", value: ({ record }) => record.status },
];

const lastColumns: readonly CsvColumn[] = [
  { header: "error", value: ({ record }) => record.error?.message ?? null },
  { header: "command", value: ({ record }) => record.command },
];

/** Writes all figures of all points, unrounded, one line a point, as CSV (RFC 4180). */
export function formatSweepCsv(rows: readonly SweepRow[]): string {
  const columns = [...pointColumns, ...measuredColumns(rows), ...lastColumns];
  const lines = [
    columns.map(({ header }) => csvField(header)),
    ...rows.map((row) => columns.map(({ value }) => csvField(value(row)))),
  ];
  return lines.map((fields) => `${fields.join(",")}\r\n`).join("");
}

/** Figures of the whole model stand around those of each text, task and average. */
function measuredColumns(rows: readonly SweepRow[]): CsvColumn[] {
  const written = rows.some(({ result }) => result?.generation);
  const first = allFigures.findIndex(({ of }) => of !== "model");
  const ofModel = (figures: readonly Figure[]): CsvColumn[] =>
    columnsOf(
      figures.filter(({ of }) => of === "model"),
      "",
      (result) => result,
    );
  const ofEach = (key: "texts" | "tasks" | "averages", figures: readonly Figure[]): CsvColumn[] => {
    const names = new Set(
      rows.flatMap(({ result }) => result?.[key].map(({ name }) => name) ?? []),
    );
    return [...names].flatMap((name) =>
      columnsOf(figures, `${key === "averages" ? "average " : ""}${name} `, (result) =>
        result[key].find((entry) => entry.name === name),
      ),
    );
  };
  const ofWriting = columnsOf(
    allFigures.filter(({ of }) => of === "generation"),
    "",
    (result) => result,
  );
  return [
    ...ofModel(allFigures.slice(0, first)),
    ...ofEach(
      "texts",
      allFigures.filter(({ of }) => of === "text"),
    ),
    ...ofEach(
      "tasks",
      allFigures.filter(({ of }) => of === "task"),
    ),
    ...ofEach(
      "averages",
      allFigures.filter(({ averaged }) => averaged),
    ),
    ...(written ? ofWriting : []),
    ...ofModel(allFigures.slice(first)),
  ];
}

function columnsOf(
  figures: readonly Figure[],
  prefix: string,
  of: (result: PointResult) => unknown,
): CsvColumn[] {
  return figures.flatMap((figure) => {
    const paths = figurePaths(figure);
    return (figure.csv ?? []).map((name, index) => ({
      header: prefix + name,
      value: ({ result }) => result && readNumber(of(result), paths[index] ?? ""),
    }));
  });
}

/** Quotes what needs it. Texts that a spreadsheet would compute get an apostrophe in front. */
export function csvField(value: Value): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+@\-\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
