import { absolutePath, type DatabaseRow, joinPath } from "../../platform/node.ts";
import { FewbitError, UsageError } from "../../util/errors.ts";
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
    const detail = error instanceof FewbitError ? error.cause : error;
    const message = detail instanceof Error ? detail.message : String(detail);
    throw new UsageError(`the query cannot be carried out: ${message}`, {
      hint: "the view results has a row for each point: SELECT * FROM results",
      cause: error,
    });
  } finally {
    database.close();
  }
}
