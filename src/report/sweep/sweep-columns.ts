import { type FigureColumn, figureColumns, type FigureSource } from "../figure-columns.ts";
import type { Figure } from "../../evaluation/figure.ts";
import type { SweepRow } from "./sweep-row.ts";

/**
 * The columns that at least one of the rows has a figure for: of a text those on the first one, of
 * tasks the averages. All other figures are in the CSV.
 */
export function sweepColumns(rows: readonly SweepRow[]): FigureColumn<SweepRow>[] {
  const results = rows.flatMap(({ result }) => (result ? [result] : []));
  const text = results.flatMap(({ texts }) => texts.map(({ name }) => name))[0];
  const averages = [
    ...new Set(results.flatMap((result) => result.averages.map(({ name }) => name))),
  ];
  const sources: Readonly<Record<Figure["of"], readonly FigureSource<SweepRow>[]>> = {
    model: [{ of: ({ result }) => result }],
    generation: [{ of: ({ result }) => result }],
    text: [{ of: ({ result }) => result?.texts.find(({ name }) => name === text) }],
    task: averages.map((average) => ({
      of: ({ result }) => result?.averages.find(({ name }) => name === average),
      header: averages.length > 1 ? average : "task average",
    })),
  };
  return figureColumns("sweep", rows, ({ of }) => sources[of]);
}
