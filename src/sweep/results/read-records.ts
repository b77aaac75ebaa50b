import type { Database, DatabaseRow } from "../../platform/node.ts";
import { parseJson } from "../../util/json.ts";
import { expectPointRecord } from "./record-schema.ts";
import type { PointRecord, SweepPoint, SweepResults } from "./sweep-results.ts";

const hint = "move the database away, and run the sweep again";

/**
 * Reads all points of the recipe from a sweep's database, in its order.
 * @throws FormatError that names the point and the field, where a record is damaged
 */
export function readRecords(database: Database): SweepResults {
  const sweep = database.row("SELECT name, recipe FROM sweep");
  const rows = database.rows("SELECT * FROM records WHERE position IS NOT NULL ORDER BY position");
  return {
    format: 1,
    name: String(sweep?.["name"] ?? ""),
    recipe: parse(sweep?.["recipe"], `the recipe in ${database.path}`),
    points: rows.map((row) => readRecord(row, database.path)),
  };
}

/** Reads one point; null when there is none of this id. */
export function readPoint(database: Database, id: string): PointRecord | null {
  const row = database.row("SELECT * FROM records WHERE id = ?", id);
  return row && readRecord(row, database.path);
}

function readRecord(row: DatabaseRow, path: string): PointRecord {
  const { error_code: code, error_message: message, error_hint: advice, status } = row;
  const where = `the point ${String(row["label"])} in ${path}`;
  const document = (column: string): unknown => parse(row[column], `${column} of ${where}`);
  const record: unknown = {
    point: pointOf(row),
    status,
    attempts: row["attempts"],
    error:
      code === null
        ? null
        : { code: String(code), message: String(message), ...(advice && { hint: String(advice) }) },
    command: row["command"],
    fewbit: row["fewbit"],
    machine: document("machine"),
    startedAt: row["started_at"],
    finishedAt: row["finished_at"],
    result: status === "done" ? document("result") : null,
    run: document("run"),
  };
  return expectPointRecord(record, where, hint);
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

function parse(value: DatabaseRow[string] | undefined, what: string): unknown {
  return typeof value === "string" ? parseJson(value, what, hint) : null;
}
