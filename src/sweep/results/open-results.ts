import { absolutePath, type Database, joinPath, runInHelper } from "../../platform/node.ts";
import { FewbitError, UsageError } from "../../util/errors.ts";
import { suggestName } from "../../util/nearest.ts";
import type { QueryOrder, QueryResult } from "./answer-query.ts";
import { expectQuestion } from "./expect-question.ts";
import { readRecords } from "./read-records.ts";
import { databaseName, readResultsDatabase } from "./results-database.ts";
import type { SweepResults } from "./sweep-results.ts";

/** Reads a sweep's results, finished or not. @throws UsageError, FormatError, UnsupportedError */
export async function openResults(folder: string): Promise<SweepResults> {
  const database = await readResultsDatabase(joinPath(absolutePath(folder), databaseName));
  try {
    return readRecords(database);
  } finally {
    database.close();
  }
}

/** What a query may take. */
const limits = { milliseconds: 10_000, memoryBytes: 500e6 };

/**
 * Asks the database of a sweep in SQL; nothing can be changed that way, and no other file is
 * reached. Another process does it, so that a query without end is ended.
 * @param helper address of the module of that process
 * @throws UsageError when the query is wrong, would change something or takes too much
 */
export async function askResults(
  folder: string,
  sql: string,
  helper: string,
): Promise<QueryResult> {
  expectQuestion(sql);
  const path = joinPath(absolutePath(folder), databaseName);
  const database = await readResultsDatabase(path);
  try {
    return await runInHelper<QueryOrder, never, QueryResult>(
      helper,
      { path, sql },
      { limits, onNews: () => {} },
    );
  } catch (error) {
    throw queryError(database, error);
  } finally {
    database.close();
  }
}

/** Says why a query was refused, with the table, view or column that was meant. */
function queryError(database: Database, error: unknown): unknown {
  if (!(error instanceof FewbitError)) return error;
  const { code, message } = error;
  if (code === "LIMIT") {
    return new UsageError(`the query ${message}`, {
      hint: "ask for less: fewer columns, WHERE, LIMIT; a recursive query needs an end",
      cause: error,
    });
  }
  if (code !== "SQL") return error;
  const usual = "the view results has a row for each point: SELECT * FROM results";
  const hint = missingName(database, message) ?? usual;
  return new UsageError(`the query cannot be carried out: ${message}`, { hint, cause: error });
}

/** What was meant by a table or column that there is not; null for another error. */
function missingName(database: Database, message: string): string | null {
  const [, kind, name] = /^no such (table|column): (?:\w+\.)?(.+)$/.exec(message) ?? [];
  if (name === undefined) return null;
  const owners = kind === "column" ? ownersOf(database, name) : [];
  if (owners.length > 0) return `${name} is a column of ${owners.join(", ")}`;
  return suggestName(name, namesIn(database, kind === "table"), null);
}

/** The views and tables that have a column of a name. */
function ownersOf(database: Database, column: string): string[] {
  const rows = database.rows(
    "SELECT each.name FROM sqlite_schema AS each JOIN pragma_table_info(each.name) AS own " +
      "WHERE each.type IN ('view', 'table') AND own.name = ? ORDER BY each.name",
    column,
  );
  return rows.map(({ name }) => String(name));
}

/** The names of tables and views, or those of all their columns. */
function namesIn(database: Database, tables: boolean): string[] {
  const from = "FROM sqlite_schema AS each WHERE each.type IN ('view', 'table')";
  const columns = from.replace(" WHERE", " JOIN pragma_table_info(each.name) AS own WHERE");
  const rows = database.rows(
    tables ? `SELECT each.name ${from}` : `SELECT DISTINCT own.name ${columns}`,
  );
  return rows.map(({ name }) => String(name));
}
