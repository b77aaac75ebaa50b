import { type DatabaseRow, openDatabase } from "../../platform/node.ts";
import { FewbitError } from "../../util/errors.ts";

/** A question to a database. */
export interface QueryOrder {
  readonly path: string;
  readonly sql: string;
}

/** What a query gave. */
export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly DatabaseRow[];
}

/** Most cells of an answer; a table for people has some hundred. */
const mostCells = 2_000_000;

/**
 * Asks a database, and lets nothing be changed.
 * @throws FewbitError of code `SQL` when the question is wrong, or would change something; of code
 * `LIMIT` when the answer has more than two million cells
 */
export async function answerQuery({ path, sql }: QueryOrder): Promise<QueryResult> {
  const database = await openDatabase(path, { readOnly: true });
  try {
    database.askOnly();
    const columns = database.columns(sql);
    const rows: DatabaseRow[] = [];
    for (const row of database.eachRow(sql)) {
      rows.push(row);
      if (rows.length * columns.length > mostCells) {
        throw new FewbitError("LIMIT", `gives more than ${mostCells} cells`);
      }
    }
    return { columns, rows };
  } catch (error) {
    if (!(error instanceof FewbitError) || error.code === "LIMIT") throw error;
    // What SQLite says, without what is said of files.
    const { message } = error.cause instanceof Error ? error.cause : error;
    throw new FewbitError("SQL", message);
  } finally {
    database.close();
  }
}
