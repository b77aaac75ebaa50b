import type * as sqlite from "node:sqlite";
import { FewbitError, FormatError, UnsupportedError } from "../util/errors.ts";
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

/** Result codes of SQLite (`sqlite.org/rescode.html`) with a meaning of their own to a person. */
const codes = { busy: 5, readOnly: 8, damaged: 11, full: 13, notDatabase: 26 } as const;

/** An SQLite database in a file. Calls return when they are done: statements are short. */
export class Database {
  readonly path: string;
  private readonly handle: sqlite.DatabaseSync;

  constructor(path: string, handle: sqlite.DatabaseSync) {
    this.path = path;
    this.handle = handle;
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

  /** Returns the first row of a query; null without any. */
  row(sql: string, ...values: readonly DatabaseValue[]): DatabaseRow | null {
    return this.rows(sql, ...values)[0] ?? null;
  }

  /** Names of the columns that a query gives, also where it gives no rows. */
  columns(sql: string): string[] {
    return this.translate(() =>
      this.handle
        .prepare(sql)
        .columns()
        .map(({ name }) => name),
    );
  }

  /** Runs `body` in one transaction, which nothing of it outlives when it throws. */
  transaction<T>(body: () => T): T {
    this.execute("BEGIN IMMEDIATE");
    try {
      const result = body();
      this.execute("COMMIT");
      return result;
    } catch (error) {
      this.execute("ROLLBACK");
      throw error;
    }
  }

  close(): void {
    if (this.handle.isOpen) this.handle.close();
  }

  private translate<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw databaseError(this.path, error);
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
  const { DatabaseSync } = await loadSqlite();
  await expectFiles(path);
  try {
    const handle = new DatabaseSync(path, { readOnly: options.readOnly ?? false });
    const database = new Database(path, handle);
    database.execute(`PRAGMA busy_timeout = ${busyMs}`);
    return database;
  } catch (error) {
    throw databaseError(path, error);
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

async function loadSqlite(): Promise<typeof sqlite> {
  try {
    return await import("node:sqlite");
  } catch (cause) {
    throw new UnsupportedError(
      `results are kept in an SQLite database, which Node ${process.versions.node} does not bring`,
      { hint: "use Node 22.13 or newer", cause },
    );
  }
}

function databaseError(path: string, cause: unknown): FewbitError {
  if (cause instanceof FewbitError) return cause;
  const { errcode, message } = cause as { errcode?: number; message?: string };
  const code = errcode === undefined ? null : errcode & 0xff;
  if (code === codes.notDatabase) {
    return new FormatError(`${path} is no SQLite database; it was left as it is`, {
      hint: "name another folder, or move the file away",
      cause,
    });
  }
  if (code === codes.damaged) {
    return new FormatError(`${path} is damaged: ${message}`, {
      hint: "move it away, and run the sweep again",
      cause,
    });
  }
  const hints = new Map<number | null, string>([
    [codes.busy, "another program holds it; close that program and try again"],
    [codes.readOnly, "check the owner and the mode of the file and its folder"],
    [codes.full, "free some space"],
  ]);
  const hint = hints.get(code);
  const detail = `cannot use the database ${path}: ${message ?? String(cause)}`;
  return new FewbitError("FILE", detail, { hint, cause });
}
