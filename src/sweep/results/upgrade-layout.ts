import type { Figure } from "../../evaluation/figure.ts";
import { allFigures } from "../../evaluation/figures.ts";
import type { Database, DatabaseRow } from "../../platform/node.ts";
import { parseJson } from "../../util/json.ts";
import { writeDocument } from "./read-records.ts";
import { answerColumns, taskColumns, textColumns } from "./results-schema.ts";

/** Figures of a point that layouts 1 and 2 had as columns of `points`. */
const oldColumns =
  "parameters size_bytes linear_bytes bits_per_weight file_bits_per_weight tokens_per_second " +
  "make_ms peak_memory_bytes evaluation_ms backend backend_level threads";

type Document = Record<string, unknown>;

/**
 * Makes documents of the results in layouts 1 and 2, which had a table for each kind of figures,
 * and renames `points`. Within a transaction.
 */
export function upgradeOldLayout(database: Database): void {
  const done = database.rows("SELECT * FROM points WHERE status = 'done'");
  const documents = done.map((row) => ({
    id: String(row["id"]),
    result: writeDocument(resultOf(database, row)),
    data: JSON.stringify(
      database.rows("SELECT role, name, sha256 FROM data WHERE point = ?", String(row["id"])),
    ),
  }));
  database.execute("DROP VIEW IF EXISTS task_results; DROP VIEW results");
  for (const table of ["texts", "windows", "tasks", "averages", "data"]) {
    database.execute(`DROP TABLE ${table}`);
  }
  database.execute(`
    ALTER TABLE points RENAME TO records;
    DROP INDEX points_by_status;
    CREATE INDEX records_by_status ON records (status, position);
    ALTER TABLE records ADD COLUMN result TEXT;
    ALTER TABLE records ADD COLUMN data TEXT;
  `);
  for (const { id, result, data } of documents) {
    database.run("UPDATE records SET result = ?, data = ? WHERE id = ?", result, data, id);
  }
  for (const column of oldColumns.split(" ")) {
    database.execute(`ALTER TABLE records DROP COLUMN ${column}`);
  }
}

function resultOf(database: Database, row: DatabaseRow): unknown {
  const id = String(row["id"]);
  const rowsOf = (table: string): DatabaseRow[] =>
    database.rows(`SELECT * FROM ${table} WHERE point = ? ORDER BY position`, id);
  const { backend, backend_level: level, threads } = row;
  return {
    ...documentOf(row, {}, ({ of }) => of === "model"),
    texts: rowsOf("texts").map((text) => textOf(database, text)),
    tasks: rowsOf("tasks").map((task) =>
      documentOf(task, { ...taskColumns, ...answerColumns }, ({ of }) => of === "task"),
    ),
    averages: rowsOf("averages").map((average) => ({
      ...documentOf(average, { name: "name" }, ({ averaged }) => averaged),
      tasks: parseJson(String(average["tasks"]), `an average of the point ${id}`),
    })),
    backend: { id: backend, level, threads },
  };
}

function textOf(database: Database, row: DatabaseRow): unknown {
  const windows = database.rows(
    "SELECT loss, kl FROM windows WHERE point = ? AND text = ? ORDER BY window",
    row["point"] ?? null,
    row["position"] ?? null,
  );
  const text = documentOf(row, textColumns, ({ of }) => of === "text");
  const divergence = text["klDivergence"] as Document | null;
  return {
    ...text,
    windowLosses: windows.map(({ loss }) => loss),
    klDivergence: divergence && { ...divergence, windowMeans: windows.map(({ kl }) => kl) },
  };
}

/** Makes a document of a row: of the columns that are named, with their fields, and of figures. */
function documentOf(
  row: DatabaseRow,
  columns: Readonly<Record<string, string>>,
  includes: (figure: Figure) => boolean | undefined,
): Document {
  const document: Document = {};
  for (const [column, field] of Object.entries(columns)) document[field] = row[column];
  for (const { path, interval, error, sql } of allFigures.filter(includes)) {
    const [column = "", second = "", third = ""] = sql ?? [];
    if (path === undefined || !(column in row)) continue;
    put(document, path, row[column]);
    if (error !== undefined) put(document, error, row[second]);
    if (error !== undefined || interval === undefined || !(third in row)) continue;
    const [low, high] = [row[second], row[third]];
    const ends = low === null || high === null ? null : { low, high, level: row["level"] };
    put(document, interval, ends);
  }
  return document;
}

/** Puts a value at a path; where the first one of an object is null, the object is. */
function put(document: Document, path: string, value: unknown): void {
  const [field = "", inner] = path.split(".");
  const before = document[field];
  if (inner === undefined) document[field] = value;
  else if (before === undefined && value === null) document[field] = null;
  else if (before !== null) document[field] = { ...(before as Document), [inner]: value };
}
