import type { Database, DatabaseRow, DatabaseValue } from "../../platform/node.ts";
import { writeDocument } from "./read-records.ts";

/** Figures of a point that layouts 1 and 2 had as columns of `points`. */
const oldColumns =
  "parameters size_bytes linear_bytes bits_per_weight file_bits_per_weight tokens_per_second " +
  "make_ms peak_memory_bytes evaluation_ms backend backend_level threads";

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
  return {
    parameters: row["parameters"],
    sizeBytes: row["size_bytes"],
    linearBytes: row["linear_bytes"],
    bitsPerWeight: { linear: row["bits_per_weight"], file: row["file_bits_per_weight"] },
    texts: rowsOf("texts").map((text) => {
      const windows = database.rows(
        "SELECT loss, kl FROM windows WHERE point = ? AND text = ? ORDER BY window",
        id,
        text["position"] ?? null,
      );
      return textOf(text, windows);
    }),
    tasks: rowsOf("tasks").map(taskOf),
    averages: rowsOf("averages").map((average) => ({
      name: average["name"],
      tasks: JSON.parse(String(average["tasks"])) as unknown,
      accuracy: accuracyOf(average["accuracy"], average["accuracy_error"]),
      accuracyAboveChance: average["above_chance"],
    })),
    tokensPerSecond: row["tokens_per_second"],
    makeMs: row["make_ms"],
    peakMemoryBytes: row["peak_memory_bytes"],
    evaluationMs: row["evaluation_ms"],
    backend: { id: row["backend"], level: row["backend_level"], threads: row["threads"] },
  };
}

function textOf(row: DatabaseRow, windows: readonly DatabaseRow[]): unknown {
  const interval = (low: string, high: string): unknown =>
    row[low] === null || row[high] === null
      ? null
      : { low: row[low], high: row[high], level: row["level"] };
  return {
    name: row["name"],
    sha256: row["sha256"],
    protocol: row["protocol"],
    window: row["window"],
    windows: row["windows"],
    tokens: row["tokens"],
    tokensSha256: row["tokens_sha256"],
    perplexity: row["perplexity"],
    interval: interval("low", "high"),
    windowLosses: windows.map(({ loss }) => loss),
    klDivergence:
      row["kl_mean"] === null
        ? null
        : {
            mean: row["kl_mean"],
            interval: interval("kl_low", "kl_high"),
            percentile99: row["kl_percentile99"],
            percentile99Interval: interval("kl_percentile99_low", "kl_percentile99_high"),
            maximum: row["kl_maximum"],
            windowMeans: windows.map(({ kl }) => kl),
          },
    topTokenAgreement: row["top_token_agreement"],
  };
}

function taskOf(row: DatabaseRow): unknown {
  return {
    name: row["name"],
    sha256: row["sha256"],
    shots: row["shots"],
    items: row["items"],
    accuracy: accuracyOf(row["accuracy"], row["accuracy_error"]),
    normalizedAccuracy: accuracyOf(row["normalized_accuracy"], row["normalized_error"]),
    chance: row["chance"],
    accuracyAboveChance: row["above_chance"],
    right: row["right"],
    rightNormalized: row["right_normalized"],
  };
}

function accuracyOf(mean: DatabaseValue | undefined, standardError: DatabaseValue | undefined) {
  return mean === null ? null : { mean, standardError };
}
