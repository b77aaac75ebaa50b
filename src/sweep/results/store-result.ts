import type { Database } from "../../platform/node.ts";
import type { DataHash } from "../queue/point-queue.ts";
import type { AverageFigures, PointResult, TaskFigures, TextFigures } from "./sweep-results.ts";

const resultTables = ["texts", "windows", "tasks", "averages", "data"] as const;

/**
 * Writes the result of a point into its tables, replacing an earlier one. Runs within a
 * transaction.
 */
export function storeResult(
  database: Database,
  id: string,
  result: PointResult,
  data: readonly DataHash[],
): void {
  for (const table of resultTables) database.run(`DELETE FROM ${table} WHERE point = ?`, id);
  for (const [position, text] of result.texts.entries()) storeText(database, id, position, text);
  for (const [position, task] of result.tasks.entries()) storeTask(database, id, position, task);
  for (const [position, average] of result.averages.entries()) {
    storeAverage(database, id, position, average);
  }
  for (const { role, name, sha256 } of data) {
    insert(database, "data", { point: id, role, name, sha256 });
  }
}

function storeText(database: Database, point: string, position: number, text: TextFigures): void {
  const { name, sha256, protocol, window, windows, tokens, perplexity, interval } = text;
  const { klDivergence: kl, topTokenAgreement } = text;
  insert(database, "texts", {
    point,
    position,
    name,
    sha256,
    protocol,
    window,
    windows,
    tokens,
    tokens_sha256: text.tokensSha256,
    perplexity,
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    level: interval?.level ?? null,
    kl_mean: kl?.mean ?? null,
    kl_low: kl?.interval?.low ?? null,
    kl_high: kl?.interval?.high ?? null,
    kl_percentile99: kl?.percentile99 ?? null,
    kl_percentile99_low: kl?.percentile99Interval?.low ?? null,
    kl_percentile99_high: kl?.percentile99Interval?.high ?? null,
    kl_maximum: kl?.maximum ?? null,
    top_token_agreement: topTokenAgreement,
  });
  for (const [index, loss] of text.windowLosses.entries()) {
    const divergence = kl?.windowMeans[index] ?? null;
    insert(database, "windows", { point, text: position, window: index, loss, kl: divergence });
  }
}

function storeTask(database: Database, point: string, position: number, task: TaskFigures): void {
  const { name, sha256, shots, items, chance, right } = task;
  insert(database, "tasks", {
    point,
    position,
    name,
    sha256,
    shots,
    items,
    accuracy: task.accuracy.mean,
    accuracy_error: task.accuracy.standardError,
    normalized_accuracy: task.normalizedAccuracy?.mean ?? null,
    normalized_error: task.normalizedAccuracy?.standardError ?? null,
    chance,
    above_chance: task.accuracyAboveChance,
    right,
    right_normalized: task.rightNormalized,
  });
}

function storeAverage(
  database: Database,
  point: string,
  position: number,
  { name, tasks, accuracy, accuracyAboveChance }: AverageFigures,
): void {
  insert(database, "averages", {
    point,
    position,
    name,
    tasks: JSON.stringify(tasks),
    accuracy: accuracy.mean,
    accuracy_error: accuracy.standardError,
    above_chance: accuracyAboveChance,
  });
}

/** Inserts one row. */
export function insert(
  database: Database,
  table: string,
  row: Readonly<Record<string, string | number | null>>,
): void {
  const names = Object.keys(row);
  const marks = names.map(() => "?").join(", ");
  database.run(
    `INSERT INTO ${table} (${names.join(", ")}) VALUES (${marks})`,
    ...Object.values(row),
  );
}
