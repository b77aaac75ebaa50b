import { element, escapeMarkup } from "../chart/svg.ts";
import type { FigureColumn } from "../figure-columns.ts";
import { colourClass } from "../palette.ts";
import type { Layout } from "../style.ts";
import { formatTable } from "../table.ts";
import { sweepColumns } from "./sweep-columns.ts";
import type { SweepRow } from "./sweep-row.ts";

/** What stands in place of the figures of a row that has none; null for a row that has. */
function statusOf({ record }: SweepRow): "failed" | "not done" | null {
  if (record.status === "done") return null;
  return record.status === "failed" ? "failed" : "not done";
}

/** Lays out one row a point, as wide as a terminal allows. */
export function formatSweepTable(rows: readonly SweepRow[], layout: Layout): string[] {
  const columns = sweepColumns(rows);
  return formatTable(
    [{ header: "variant", minWidth: 20, keep: "end" }, ...columns],
    rows.map((row) => [row.name, ...cellsOf(row, columns)]),
    layout,
  );
}

/** Writes the rows as a Markdown table. */
export function markdownTable(rows: readonly SweepRow[]): string[] {
  const columns = sweepColumns(rows);
  const line = (cells: readonly string[]): string => `| ${cells.map(markdownText).join(" | ")} |`;
  return [
    line(["variant", ...columns.map(({ header }) => header)]),
    `|---|${columns.map(() => "---:|").join("")}`,
    ...rows.map((row) => line([row.name, ...cellsOf(row, columns)])),
  ];
}

/** Escapes a text for Markdown, table cells included. */
export function markdownText(text: string): string {
  return text.replace(/[\\`*_{}[\]<>|#]/g, "\\$&").replace(/\s+/g, " ");
}

/** Writes the rows as a table of HTML. Cells carry the number that they are sorted by. */
export function htmlTable(rows: readonly SweepRow[], best: ReadonlySet<string>): string {
  const columns = sweepColumns(rows);
  const head = [
    element("th", { class: "text", scope: "col" }, ["variant"]),
    ...columns.map(({ header }) => element("th", { scope: "col" }, [escapeMarkup(header)])),
  ];
  const body = rows.map((row, index) => {
    const model = row.record.point.model;
    const first = index > 0 && rows[index - 1]?.record.point.model !== model;
    const status = statusOf(row);
    const classes = [
      colourClass(row.record.point.bits),
      ...(first ? ["first"] : []),
      ...(best.has(row.id) ? ["best"] : []),
      ...(status === null ? [] : [status === "failed" ? "failed" : "waiting"]),
    ];
    return element("tr", { class: classes.join(" "), "data-point": row.id }, [
      nameCell(row, best.has(row.id)),
      ...htmlCells(row, columns),
    ]);
  });
  const content = element("table", {}, [
    element("thead", {}, [element("tr", {}, head)]),
    element("tbody", {}, ["\n", body.join("\n"), "\n"]),
  ]);
  return element(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": "All figures" },
    [content],
  );
}

function nameCell(row: SweepRow, best: boolean): string {
  return element("th", { class: "text", scope: "row" }, [
    element("span", { class: "swatch" }),
    escapeMarkup(row.name),
    ...(best ? [element("span", { class: "badge" }, ["front"])] : []),
  ]);
}

function htmlCells(row: SweepRow, columns: readonly FigureColumn<SweepRow>[]): string[] {
  const cells = cellsOf(row, columns);
  return columns.map(({ value }, index) => {
    const number = value(row);
    const sorted = number === null ? {} : { "data-value": String(number) };
    return element("td", sorted, [escapeMarkup(cells[index] ?? "")]);
  });
}

/** Texts of a row's cells; the first says so where there are no figures. */
function cellsOf(row: SweepRow, columns: readonly FigureColumn<SweepRow>[]): string[] {
  const status = statusOf(row);
  return columns.map(({ cell }, index) =>
    status !== null && index === 0 ? status : (cell(row) ?? "–"),
  );
}
