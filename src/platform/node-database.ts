import { statSync } from "node:fs";
import type * as sqlite from "node:sqlite";
import { pathToFileURL } from "node:url";
import { FewbitError, UnsupportedError } from "../util/errors.ts";
import { databaseError } from "./database-errors.ts";
import { status } from "./node-directories.ts";
import { notAFile } from "./open-file.ts";

/** What a database holds in a cell. */
export type DatabaseValue = string | number | null;

/** A row by its columns. */
export type DatabaseRow = Readonly<Record<string, DatabaseValue>>;

/** How a database is opened. */
export interface DatabaseOptions {
  /** Nothing can be changed then. Default false. */
  readonly readOnly?: boolean;
}

/** How long a statement waits for another process that is writing. */
const busyMs = 30_000;

/** Bytes of a text or a row at most; a record of a large model has some hundred thousand. */
const longestCell = 100_000_000;

/** A statement of a Node that may be older than the types. */
type Statement = Omit<sqlite.StatementSync, "columns"> & Partial<sqlite.StatementSync>;

/** An SQLite database in a file. Calls return when they are done: statements are short. */
export class Database {
  readonly path: string;
  private readonly handle: sqlite.DatabaseSync;
  private readonly constants: typeof sqlite.constants;
  private readonly readOnly: boolean;
  private isOpen = true;

  constructor(
    path: string,
    handle: sqlite.DatabaseSync,
    { constants, readOnly }: { constants: typeof sqlite.constants; readOnly: boolean },
  ) {
    this.path = path;
    this.handle = handle;
    this.constants = constants;
    this.readOnly = readOnly;
  }

  /** Runs statements that give no rows. */
  execute(sql: string): void {
    this.translate(() => this.handle.exec(sql));
  }

  /** Runs one statement with values for its `?`, and returns how many rows it changed. */
  run(sql: string, ...values: readonly DatabaseValue[]): number {
    return this.translate(() => Number(this.handle.prepare(sql).run(...values).changes));
  }

  /** Returns the rows of a query. */
  rows(sql: string, ...values: readonly DatabaseValue[]): DatabaseRow[] {
    const found = this.translate(() => this.handle.prepare(sql).all(...values));
    return found.map((row) => Object.fromEntries(Object.entries(row).map(readCell)));
  }

  /** Returns the rows of a query one by one, as they are asked for. */
  *eachRow(sql: string): Generator<DatabaseRow> {
    const rows = this.translate(() => this.handle.prepare(sql).iterate());
    for (;;) {
      const { done, value } = this.translate(() => rows.next());
      if (done === true) return;
      yield Object.fromEntries(Object.entries(value).map(readCell));
    }
  }

  /** Returns the first row of a query; null without any. */
  row(sql: string, ...values: readonly DatabaseValue[]): DatabaseRow | null {
    return this.rows(sql, ...values)[0] ?? null;
  }

  /** Names of the columns that a query gives, where it gives no rows since Node 22.16. */
  columns(sql: string): string[] {
    return this.translate(() => {
      const statement = this.handle.prepare(sql) as Statement;
      return statement.columns?.().map(({ name }) => name) ?? Object.keys(statement.get() ?? {});
    });
  }

  /**
   * Lets nothing through from here on but questions: nothing is changed, no other file is opened or
   * written.
   */
  askOnly(): void {
    this.execute("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY");
    const { constants, handle } = this;
    const { SQLITE_OK, SQLITE_DENY, SQLITE_SELECT, SQLITE_READ } = constants;
    const { SQLITE_FUNCTION, SQLITE_RECURSIVE } = constants;
    const asking = new Set([SQLITE_SELECT, SQLITE_READ, SQLITE_FUNCTION, SQLITE_RECURSIVE]);
    // Node 24 brought it; on Node 22 a question is recognised by its first word alone.
    const { setAuthorizer } = handle as { setAuthorizer?: sqlite.DatabaseSync["setAuthorizer"] };
    setAuthorizer?.call(handle, (action) => (asking.has(action) ? SQLITE_OK : SQLITE_DENY));
  }

  /** Runs `body` in one transaction, which nothing of it outlives when it throws. */
  transaction<T>(body: () => T): T {
    this.execute("BEGIN IMMEDIATE");
    try {
      const result = body();
      this.execute("COMMIT");
      return result;
    } catch (error) {
      this.rollBack();
      throw error;
    }
  }

  close(): void {
    if (this.isOpen) this.handle.close();
    this.isOpen = false;
  }

  /** SQLite has rolled back by itself where the disk was full or at fault. */
  private rollBack(): void {
    try {
      this.handle.exec("ROLLBACK");
    } catch {
      // What went wrong first counts.
    }
  }

  private translate<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw databaseError(this.path, error, this.readOnly);
    }
  }
}

function readCell([name, value]: [string, unknown]): [string, DatabaseValue] {
  if (typeof value === "bigint") return [name, Number(value)];
  if (value instanceof Uint8Array) return [name, `${value.length} bytes`];
  return [name, value as DatabaseValue];
}

/**
 * Opens an SQLite database; a new one is created where there is no file. Writers wait for each
 * other.
 * @throws UnsupportedError when this Node has no `node:sqlite`
 * @throws FormatError when the file is no database, or no regular file
 * @throws FewbitError (code `FILE`) when it cannot be read or written
 */
export async function openDatabase(path: string, options: DatabaseOptions = {}): Promise<Database> {
  const { DatabaseSync, constants } = await loadSqlite();
  const { readOnly = false } = options;
  await expectFiles(path);
  try {
    const open = (location: string | URL): Database => {
      const handle = new DatabaseSync(location, { readOnly, limits: { length: longestCell } });
      const database = new Database(path, handle, { constants, readOnly });
      database.execute(`PRAGMA busy_timeout = ${busyMs}`);
      return database;
    };
    const database = open(path);
    if (!readOnly || isReadable(database)) return database;
    database.close();
    // Nobody can be writing there: as a file that never changes it needs nothing beside it.
    const unchanging = pathToFileURL(path);
    unchanging.searchParams.set("immutable", "1");
    return open(unchanging);
  } catch (error) {
    throw databaseError(path, error, readOnly);
  }
}

/**
 * Refuses pipes and the like, which would be waited for, in place of the database and of the files
 * that SQLite keeps beside it. They are not opened: SQLite's locks end when any handle is closed.
 */
async function expectFiles(path: string): Promise<void> {
  for (const suffix of ["", "-journal", "-wal", "-shm"]) {
    const kind = (await status(path + suffix))?.kind ?? "file";
    if (kind !== "file") throw notAFile("open", path + suffix, kind);
  }
}

/**
 * Whether a database can be read in the usual way, for which SQLite makes files beside it: not on a
 * disk that is full or read-only. Changes that were never written into the file would be missed
 * otherwise: then it is not read at all.
 * @throws FewbitError (code `FILE`) then
 */
function isReadable(database: Database): boolean {
  try {
    database.rows("SELECT count(*) FROM sqlite_schema");
    return true;
  } catch (error) {
    const isDisk = error instanceof FewbitError && error.code === "FILE";
    const waiting = statSync(`${database.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (isDisk && waiting === 0) return false;
    database.close();
    throw error;
  }
}

/** Makes sure that databases can be opened. @throws UnsupportedError by a Node that has none */
export async function expectDatabases(): Promise<void> {
  await loadSqlite();
}

async function loadSqlite(): Promise<typeof sqlite> {
  try {
    return await import("node:sqlite");
  } catch (cause) {
    throw new UnsupportedError(
      `results are kept in an SQLite database, which Node ${process.versions.node} does not bring`,
      { hint: "use Node 22.13 or newer; all but sweeps and their results works on Node 20", cause },
    );
  }
}
