import { absolutePath, type Database, type DatabaseRow, joinPath } from "../../platform/node.ts";
import { FewbitError, UsageError } from "../../util/errors.ts";
import { suggestName } from "../../util/nearest.ts";
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

/** What a query gave. */
export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly DatabaseRow[];
}

/**
 * Asks the database of a sweep in SQL; nothing can be changed that way. The view `results` has a
 * row for each point of the recipe.
 * @throws UsageError when the query is wrong, or would change something
 */
export async function queryResults(folder: string, sql: string): Promise<QueryResult> {
  const database = await readResultsDatabase(joinPath(absolutePath(folder), databaseName));
  try {
    return { columns: database.columns(sql), rows: database.rows(sql) };
  } catch (error) {
    throw queryError(database, error);
  } finally {
    database.close();
  }
}

/** Says why a query was refused, with the table, view or column that was meant. */
function queryError(database: Database, error: unknown): unknown {
  if (!(error instanceof FewbitError) || error.code !== "SQL") return error;
  const { message } = error.cause as Error;
  const usual = "the view results has a row for each point: SELECT * FROM results";
  const [, kind, name] = /^no such (table|column): (?:\w+\.)?(.+)$/.exec(message) ?? [];
  const known = kind === undefined ? [] : namesIn(database, kind === "table");
  const hint = name === undefined ? usual : suggestName(name, known, usual);
  return new UsageError(`the query cannot be carried out: ${message}`, { hint, cause: error });
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
