import { type Figure, type FigureTable, readFigure, type Spread } from "../evaluation/figure.ts";
import { allFigures } from "../evaluation/figures.ts";
import { figureText, spreadText } from "./format-figure.ts";

/** A column of a table that figures are read into. */
export interface FigureColumn<Row> {
  readonly header: string;
  readonly align: "right";
  /** Order in which columns go when a terminal is too narrow, the highest first; 0 never. */
  readonly dropOrder: number;
  /** What rows are sorted by; null for what a row has no figure for. */
  readonly value: (row: Row) => number | null;
  readonly cell: (row: Row) => string | null;
}

/** Where a row has the figures of one text, task or average, and what heads their column. */
export interface FigureSource<Row> {
  readonly of: (row: Row) => unknown;
  /** Default: the figure's own. */
  readonly header?: string;
}

/**
 * Makes the columns of a table, in their order: one for each source of a figure, without those that
 * no row has a figure for.
 * @param spread what stands behind a value
 */
export function figureColumns<Row>(
  table: FigureTable,
  rows: readonly Row[],
  sourcesOf: (figure: Figure) => readonly FigureSource<Row>[],
  spread: Spread = "interval",
): FigureColumn<Row>[] {
  const shown = allFigures.flatMap((figure) => {
    const { column } = figure;
    const dropOrder = column?.[table];
    return column && dropOrder !== undefined ? [{ figure, column, dropOrder }] : [];
  });
  return shown
    .sort((a, b) => a.column.at - b.column.at)
    .flatMap(({ figure, column, dropOrder }) =>
      sourcesOf(figure).map(
        ({ of, header = column.header }): FigureColumn<Row> => ({
          header,
          align: "right",
          dropOrder,
          value: (row) => readFigure(figure, of(row)),
          cell: (row) =>
            column.spread ? spreadText(figure, of(row), spread) : figureText(figure, of(row)),
        }),
      ),
    )
    .filter(({ value }) => rows.some((row) => value(row) !== null));
}
