import type { Database, DatabaseRow } from "../../platform/node.ts";
import type { PointRecord, SweepPoint, SweepResults } from "./sweep-results.ts";

/** Reads all points of the recipe from a sweep's database, in its order. */
export function readRecords(database: Database): SweepResults {
  const sweep = database.row("SELECT name, recipe FROM sweep");
  const rows = database.rows("SELECT * FROM records WHERE position IS NOT NULL ORDER BY position");
  return {
    format: 1,
    name: String(sweep?.["name"] ?? ""),
    recipe: parse(sweep?.["recipe"]),
    points: rows.map(readRecord),
  };
}

/** Reads one point; null when there is none of this id. */
export function readPoint(database: Database, id: string): PointRecord | null {
  const row = database.row("SELECT * FROM records WHERE id = ?", id);
  return row && readRecord(row);
}

function readRecord(row: DatabaseRow): PointRecord {
  const { error_code: code, error_message: message, error_hint: hint, status } = row;
  return {
    point: pointOf(row),
    status: status as PointRecord["status"],
    attempts: Number(row["attempts"]),
    error:
      code === null
        ? null
        : { code: String(code), message: String(message), ...(hint && { hint: String(hint) }) },
    command: row["command"] as string | null,
    fewbit: row["fewbit"] as string | null,
    machine: parse(row["machine"]) as PointRecord["machine"],
    startedAt: row["started_at"] as string | null,
    finishedAt: row["finished_at"] as string | null,
    result: status === "done" ? (parse(row["result"]) as PointRecord["result"]) : null,
    run: parse(row["run"]) as PointRecord["run"],
  };
}

/** The point that a row of `records` is about. */
export function pointOf(row: DatabaseRow): SweepPoint {
  return {
    id: String(row["id"]),
    model: String(row["model"]),
    label: String(row["label"]),
    method: row["method"] as string | null,
    preset: row["preset"] as string | null,
    scheme: row["scheme"] as string | null,
    bits: Number(row["bits"]),
    seed: Number(row["seed"]),
  };
}

/**
 * Writes a value as a document. Infinite numbers, which JSON has no word for, become numbers beyond
 * all bounds: they are infinite again when they are read, here and by SQL.
 */
export function writeDocument(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) =>
    part === Infinity || part === -Infinity ? `\0${part}` : part,
  );
  return text.replace(/"\\u0000(-?)Infinity"/g, "$19e999");
}

function parse(value: DatabaseRow[string] | undefined): unknown {
  return typeof value === "string" ? JSON.parse(value) : null;
}
