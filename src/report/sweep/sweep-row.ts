import type { PointRecord, PointResult, SweepResults } from "../../sweep/results/sweep-results.ts";

/** A point of a sweep as a report shows it. */
export interface SweepRow {
  /** Name in the page, the same in table and charts: `p12`. */
  readonly id: string;
  readonly record: PointRecord;
  /** Model and label, as short as they can be told apart: `0.8m gptq w2g64`. */
  readonly name: string;
  /** What is known of the original of its model; null where that is not done. */
  readonly original: PointResult | null;
  readonly result: PointResult | null;
}

/**
 * Makes a row for each point: model by model, the largest first, in a model the original first and
 * the others by size, and what has no result last.
 */
export function makeSweepRows(results: SweepResults): SweepRow[] {
  const models = [...new Set(results.points.map(({ point }) => point.model))];
  const shortNames = shortenNames(models);
  const originals = new Map(
    results.points
      .filter(({ point }) => point.method === null)
      .map(({ point, result }) => [point.model, result]),
  );
  const rows = results.points.map((record, index): SweepRow => {
    const { model, label } = record.point;
    const short = shortNames.get(model);
    return {
      id: `p${index}`,
      record,
      name: short === undefined ? label : `${short} ${label}`,
      original: originals.get(model) ?? null,
      result: record.status === "done" ? record.result : null,
    };
  });
  const sizes = new Map(models.map((model) => [model, largestOf(rows, model)]));
  const byModel = (row: SweepRow): number => sizes.get(row.record.point.model) ?? 0;
  return rows.sort(
    (a, b) =>
      byModel(b) - byModel(a) ||
      models.indexOf(a.record.point.model) - models.indexOf(b.record.point.model) ||
      Number(a.record.point.method !== null) - Number(b.record.point.method !== null) ||
      (b.result?.sizeBytes ?? 0) - (a.result?.sizeBytes ?? 0),
  );
}

function largestOf(rows: readonly SweepRow[], model: string): number {
  const own = rows.filter(({ record }) => record.point.model === model);
  return Math.max(0, ...own.map(({ result }) => result?.sizeBytes ?? 0));
}

/** Leaves out what all names begin with, up to a separator; empty for a single name. */
export function shortenNames(names: readonly string[]): Map<string, string> {
  const [first = ""] = names;
  if (names.length < 2) return new Map();
  let shared = 0;
  for (const [index, character] of [...first].entries()) {
    if (!names.every((name) => name.startsWith(first.slice(0, index + 1)))) break;
    if (/[-_ /]/.test(character)) shared = index + 1;
  }
  return new Map(names.map((name) => [name, name.slice(shared) || name]));
}
