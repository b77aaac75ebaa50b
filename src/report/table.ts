import { printable } from "./format.ts";
import type { Layout, Tone } from "./style.ts";

/** A cell: a text, or a text with a tone. */
export type Cell = string | { readonly text: string; readonly tone: Tone };

/** One column of a table. */
export interface Column {
  readonly header: string;
  readonly align?: "left" | "right";
  /** Columns with a higher number go first when the table is too wide; 0 (default): never. */
  readonly dropOrder?: number;
  /** The narrowest this column may be cut to, with `…`; by default it is never cut. */
  readonly minWidth?: number;
  /** Which end of a text that is cut stays; names differ at their end. Default `start`. */
  readonly keep?: "start" | "end";
}

const gap = "  ";

/**
 * Lays out rows under columns, as wide as `layout` allows: first columns are cut down to their
 * `minWidth`, then columns are dropped by their `dropOrder`, which a last line says; lines never
 * wrap. Every line starts with `indent` (default two spaces) and has no spaces at its end.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  layout: Layout,
  indent = "  ",
): string[] {
  const texts = rows.map((row) => columns.map((_, index) => cellText(row[index] ?? "")));
  const natural = columns.map((column, index) =>
    Math.max(textWidth(column.header), ...texts.map((row) => textWidth(row[index] ?? ""))),
  );
  const { width: usual, tableWidth = usual } = layout;
  const widths = fitWidths(columns, natural, tableWidth - indent.length);
  const shown = columns.map((_, index) => index).filter((index) => widths[index] !== null);
  const line = (cell: (index: number) => string, tone: (index: number) => Tone): string => {
    const parts = shown.map((index) => {
      const column = columns[index] as Column;
      const width = widths[index] as number;
      const text = cut(cell(index), width, column.keep);
      const space = " ".repeat(width - textWidth(text));
      const styled = layout.style(text, tone(index));
      return column.align === "right" ? space + styled : styled + space;
    });
    return (indent + parts.join(gap)).trimEnd();
  };
  const header = line(
    (index) => columns[index]?.header ?? "",
    () => "dim",
  );
  const body = rows.map((row, number) =>
    line(
      (index) => texts[number]?.[index] ?? "",
      (index) => cellTone(row[index] ?? ""),
    ),
  );
  const left = columns.length - shown.length;
  if (left === 0) return [header, ...body];
  const note = `${left} of ${columns.length} columns do not fit; through a pipe all are shown`;
  return [header, ...body, indent + layout.style(cut(note, tableWidth - indent.length), "dim")];
}

/** Finds the width of each column, null for those dropped. */
function fitWidths(
  columns: readonly Column[],
  natural: readonly number[],
  available: number,
): (number | null)[] {
  const widths: (number | null)[] = [...natural];
  const total = (): number => {
    const kept = widths.filter((width) => width !== null);
    return kept.reduce((sum, width) => sum + width, 0) + gap.length * (kept.length - 1);
  };
  const smallest = columns.map((column, index) => {
    const width = natural[index] ?? 0;
    return column.minWidth === undefined ? width : Math.min(width, column.minWidth);
  });
  const excess = (): number => total() - available;
  const slack = (): number =>
    widths.reduce<number>(
      (sum, width, i) => sum + (width === null ? 0 : width - (smallest[i] ?? 0)),
      0,
    );
  while (excess() > slack()) {
    const next = lastToKeep(columns, widths);
    if (next === null) break;
    widths[next] = null;
  }
  for (let index = 0; index < widths.length && excess() > 0; index++) {
    const width = widths[index];
    if (width == null) continue;
    widths[index] = Math.max(smallest[index] ?? width, width - excess());
  }
  return widths;
}

function lastToKeep(columns: readonly Column[], widths: readonly (number | null)[]): number | null {
  let found: number | null = null;
  columns.forEach((column, index) => {
    if (widths[index] === null || !column.dropOrder) return;
    if (found === null || column.dropOrder > (columns[found]?.dropOrder ?? 0)) found = index;
  });
  return found;
}

function cellText(cell: Cell): string {
  return printable(typeof cell === "string" ? cell : cell.text);
}

function cellTone(cell: Cell): Tone {
  return typeof cell === "string" ? "plain" : cell.tone;
}

/** Number of terminal columns of a text without escape sequences; wide characters count as one. */
export function textWidth(text: string): number {
  return [...text].length;
}

/** Shortens a text to `width` columns, with `…` where something is missing. */
export function cut(text: string, width: number, keep: "start" | "end" = "start"): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  if (width <= 1) return "…".slice(0, Math.max(0, width));
  return keep === "start"
    ? `${characters.slice(0, width - 1).join("")}…`
    : `…${characters.slice(characters.length - width + 1).join("")}`;
}
