import { type Database, openDatabase, openForReading, status } from "../../platform/node.ts";
import { FormatError, UnsupportedError, UsageError } from "../../util/errors.ts";
import { applicationId, schemaVersion, tableNames, tables, views } from "./results-schema.ts";
import { upgradeOldLayout } from "./upgrade-layout.ts";

/** Name of the database in a sweep's folder. */
export const databaseName = "results.db";

const fileMagic = "SQLite format 3\0";

/**
 * Opens the results of a sweep to work on them. A new database is made where there is none, one of
 * an older layout is brought to this one, in one transaction.
 * @throws FormatError when the file is no database, or another program's; it is left as it is
 * @throws UnsupportedError when it was made by a newer fewbit; it is left as it is
 */
export async function openResultsDatabase(path: string): Promise<Database> {
  if (await hasDatabase(path)) {
    const before = await openDatabase(path, { readOnly: true });
    try {
      expectOurs(before);
    } finally {
      before.close();
    }
  }
  const database = await openDatabase(path);
  try {
    database.execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
    );
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Opens the results of a sweep to read them; a sweep may be writing meanwhile. An older layout is
 * not read.
 * @throws as `openResultsDatabase`; UsageError when there is none, or it is of an older layout
 */
export async function readResultsDatabase(path: string): Promise<Database> {
  if (!(await hasDatabase(path))) {
    throw new UsageError(`there are no results at ${path}`, {
      hint: "name the folder that fewbit sweep made",
    });
  }
  const database = await openDatabase(path, { readOnly: true });
  try {
    if (isCurrent(database)) return database;
  } catch (error) {
    database.close();
    throw error;
  }
  database.close();
  // Brought to this layout once; then read only, as asked.
  (await openResultsDatabase(path)).close();
  return openDatabase(path, { readOnly: true });
}

/**
 * Tells whether there is a database; an empty file is what a killed process may leave, and counts
 * as none.
 * @throws FormatError when the file is no database
 */
export async function hasDatabase(path: string): Promise<boolean> {
  const found = await status(path);
  if (found === null || (found.kind === "file" && found.sizeBytes === 0)) return false;
  const file = await openForReading(path);
  const head = new Uint8Array(fileMagic.length);
  await file.read(head, 0);
  await file.close();
  if (new TextDecoder().decode(head) === fileMagic) return true;
  throw new FormatError(`${path} is no SQLite database; it was left as it is`, {
    hint: "choose another folder, or move the file away",
  });
}

/** Returns the version of the layout. @throws FormatError UnsupportedError */
function expectOurs(database: Database): number {
  const id = database.row("PRAGMA application_id")?.["application_id"];
  const version = Number(database.row("PRAGMA user_version")?.["user_version"]);
  const tables = database.row("SELECT count(*) AS count FROM sqlite_schema")?.["count"];
  if (id !== applicationId && tables !== 0) {
    throw new FormatError(
      `${database.path} is a database of another program; it was left as it is`,
      {
        hint: "choose another folder, or move the file away",
      },
    );
  }
  if (version <= schemaVersion) {
    expectPlain(database, version);
    return version;
  }
  throw new UnsupportedError(
    `${database.path} has layout ${version}, this fewbit knows layouts up to ${schemaVersion}`,
    { hint: "use the newer fewbit that made it; it was left as it is" },
  );
}

/**
 * Refuses what somebody else put into a database and what may take for ever or change something:
 * triggers, computed columns, and views in the place of tables.
 * @throws FormatError
 */
function expectPlain(database: Database, version: number): void {
  const computed =
    "SELECT each.name FROM sqlite_schema AS each WHERE each.type = 'trigger' OR " +
    "each.type = 'table' AND (each.sql LIKE 'CREATE VIRTUAL%' OR EXISTS (" +
    "SELECT 1 FROM pragma_table_xinfo(each.name) AS own WHERE own.hidden <> 0)) LIMIT 1";
  const found = database.row(computed)?.["name"];
  const isOld = version > 0 && version < schemaVersion;
  const views = database.rows("SELECT name FROM sqlite_schema WHERE type = 'view'");
  // Layouts 1 and 2 kept in tables what are views now, and had two views.
  const isForged = (name: string): boolean =>
    isOld ? !["results", "task_results"].includes(name) : tableNames.includes(name);
  const name = found ?? views.find((view) => isForged(`${view["name"]}`))?.["name"];
  if (name === undefined) return;
  throw new FormatError(
    `${database.path} was changed by another program: ${JSON.stringify(name)} is none of its parts`,
    { hint: "move it away, and run the sweep again" },
  );
}

/** Whether tables and views are those of this program; so views grow with the list of figures. */
function isCurrent(database: Database): boolean {
  if (expectOurs(database) !== schemaVersion) return false;
  const found = database.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'view'");
  return (
    found.length === views.size && found.every(({ name, sql }) => views.get(`${name}`) === sql)
  );
}

function migrate(database: Database): void {
  if (isCurrent(database)) return;
  database.transaction(() => {
    // Another process may have been faster.
    const from = expectOurs(database);
    if (from === 0) database.execute(tables);
    else if (from < schemaVersion) upgradeOldLayout(database);
    for (const [name, statement] of views) {
      database.execute(`DROP VIEW IF EXISTS ${name}`);
      database.execute(statement);
    }
    database.execute(`PRAGMA application_id = ${applicationId}`);
    database.execute(`PRAGMA user_version = ${schemaVersion}`);
  });
}
