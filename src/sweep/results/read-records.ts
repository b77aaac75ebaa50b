import type { Interval } from "../../evaluation/statistics/interval.ts";
import type { Accuracy } from "../../evaluation/tasks/task.ts";
import type { Database, DatabaseRow } from "../../platform/node.ts";
import type {
  AverageFigures,
  PointRecord,
  PointResult,
  SweepPoint,
  SweepResults,
  TaskFigures,
  TextFigures,
} from "./sweep-results.ts";

/** Reads all points of the recipe from a sweep's database, in its order. */
export function readResults(database: Database): SweepResults {
  const sweep = database.row("SELECT name, recipe FROM sweep");
  const points = database.rows("SELECT * FROM points WHERE position IS NOT NULL ORDER BY position");
  return {
    format: 1,
    name: String(sweep?.["name"] ?? ""),
    recipe: parse(sweep?.["recipe"]),
    points: points.map((row) => readRecord(database, row)),
  };
}

/** Reads one point; null when there is none of this id. */
export function readPoint(database: Database, id: string): PointRecord | null {
  const row = database.row("SELECT * FROM points WHERE id = ?", id);
  return row && readRecord(database, row);
}

function readRecord(database: Database, row: DatabaseRow): PointRecord {
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
    result: status === "done" ? readResult(database, row) : null,
    run: parse(row["run"]) as PointRecord["run"],
  };
}

/** The point that a row of `points` is about. */
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

function readResult(database: Database, row: DatabaseRow): PointResult {
  const id = String(row["id"]);
  const rowsOf = (table: string): DatabaseRow[] =>
    database.rows(`SELECT * FROM ${table} WHERE point = ? ORDER BY position`, id);
  return {
    parameters: Number(row["parameters"]),
    sizeBytes: Number(row["size_bytes"]),
    linearBytes: Number(row["linear_bytes"]),
    bitsPerWeight: {
      linear: Number(row["bits_per_weight"]),
      file: Number(row["file_bits_per_weight"]),
    },
    texts: rowsOf("texts").map((text) => readText(database, id, text)),
    tasks: rowsOf("tasks").map(readTask),
    averages: rowsOf("averages").map(readAverage),
    tokensPerSecond: numberOf(row["tokens_per_second"]),
    makeMs: numberOf(row["make_ms"]),
    peakMemoryBytes: numberOf(row["peak_memory_bytes"]),
    evaluationMs: Number(row["evaluation_ms"]),
    backend: {
      id: String(row["backend"]),
      level: String(row["backend_level"]),
      threads: Number(row["threads"]),
    },
  };
}

function readText(database: Database, id: string, row: DatabaseRow): TextFigures {
  const windows = database.rows(
    "SELECT loss, kl FROM windows WHERE point = ? AND text = ? ORDER BY window",
    id,
    row["position"],
  );
  return {
    name: String(row["name"]),
    sha256: String(row["sha256"]),
    protocol: row["protocol"] as TextFigures["protocol"],
    window: Number(row["window"]),
    windows: Number(row["windows"]),
    tokens: Number(row["tokens"]),
    tokensSha256: String(row["tokens_sha256"]),
    perplexity: Number(row["perplexity"]),
    interval: intervalOf(row["low"], row["high"], row["level"]),
    windowLosses: windows.map(({ loss }) => Number(loss)),
    klDivergence: readDivergence(row, windows),
    topTokenAgreement: numberOf(row["top_token_agreement"]),
  };
}

function readDivergence(
  row: DatabaseRow,
  windows: readonly DatabaseRow[],
): TextFigures["klDivergence"] {
  const mean = numberOf(row["kl_mean"]);
  if (mean === null) return null;
  const { level } = row;
  return {
    mean,
    interval: intervalOf(row["kl_low"], row["kl_high"], level),
    percentile99: Number(row["kl_percentile99"]),
    percentile99Interval: intervalOf(
      row["kl_percentile99_low"],
      row["kl_percentile99_high"],
      level,
    ),
    maximum: Number(row["kl_maximum"]),
    windowMeans: windows.map(({ kl }) => Number(kl)),
  };
}

function intervalOf(low: unknown, high: unknown, level: unknown): Interval | null {
  if (low === null || high === null) return null;
  return { low: Number(low), high: Number(high), level: Number(level) };
}

function readTask(row: DatabaseRow): TaskFigures {
  const normalized = row["normalized_accuracy"];
  return {
    name: String(row["name"]),
    sha256: String(row["sha256"]),
    shots: Number(row["shots"]),
    items: Number(row["items"]),
    accuracy: accuracyOf(row["accuracy"], row["accuracy_error"]),
    normalizedAccuracy:
      normalized === null ? null : accuracyOf(normalized, row["normalized_error"]),
    chance: Number(row["chance"]),
    accuracyAboveChance: Number(row["above_chance"]),
    right: String(row["right"]),
    rightNormalized: row["right_normalized"] as string | null,
  };
}

function readAverage(row: DatabaseRow): AverageFigures {
  return {
    name: String(row["name"]),
    tasks: parse(row["tasks"]) as string[],
    accuracy: accuracyOf(row["accuracy"], row["accuracy_error"]),
    accuracyAboveChance: Number(row["above_chance"]),
  };
}

function accuracyOf(mean: unknown, standardError: unknown): Accuracy {
  return { mean: Number(mean), standardError: Number(standardError) };
}

function numberOf(value: DatabaseRow[string] | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function parse(value: DatabaseRow[string] | undefined): unknown {
  return typeof value === "string" ? JSON.parse(value) : null;
}
