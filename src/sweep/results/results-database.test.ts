import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applicationId, migrations, schemaVersion } from "./results-schema.ts";
import { openResultsDatabase, readResultsDatabase } from "./results-database.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-results-"));
  path = join(folder, "results.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A database of ours as an older or newer program left it. */
function makeOld(version: number): void {
  const old = new DatabaseSync(path);
  for (const migration of migrations.slice(0, version)) old.exec(migration);
  old.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`);
  if (version > 0) {
    old.exec(
      "INSERT INTO points (id, position, model, label, bits, seed, work, status) " +
        "VALUES ('a', 0, 'm', 'rtn w4', 4, 0, '{}', 'failed')",
    );
  }
  old.close();
}

const versionOf = (): unknown => {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare("PRAGMA user_version").get();
  database.close();
  return row?.["user_version"];
};

describe("openResultsDatabase", () => {
  it("makes a new database, also of an empty file that a killed process left", async () => {
    (await openResultsDatabase(path)).close();
    expect(versionOf()).toBe(schemaVersion);
    writeFileSync(join(folder, "empty.db"), "");
    const database = await openResultsDatabase(join(folder, "empty.db"));
    expect(database.rows("SELECT * FROM points")).toEqual([]);
    database.close();
  });

  it.each([0, 1])("brings layout %i to this one, and keeps what is in it", async (version) => {
    makeOld(version);
    const database = await openResultsDatabase(path);
    const rows = database.rows("SELECT label, status FROM points");
    expect(rows).toEqual(version === 0 ? [] : [{ label: "rtn w4", status: "failed" }]);
    expect(database.rows("SELECT * FROM task_results")).toEqual([]);
    database.close();
    expect(versionOf()).toBe(schemaVersion);
  });

  it("leaves an older layout as it was when the change fails halfway", async () => {
    makeOld(1);
    const old = new DatabaseSync(path);
    // Takes the name of something that the next layout makes.
    old.exec("CREATE TABLE task_results (x)");
    old.close();
    await expect(openResultsDatabase(path)).rejects.toThrow("task_results");
    expect(versionOf()).toBe(1);
  });

  it("refuses a newer layout, and leaves it untouched", async () => {
    makeOld(schemaVersion);
    const newer = new DatabaseSync(path);
    newer.exec(`PRAGMA user_version = ${schemaVersion + 1}`);
    newer.close();
    const before = readFileSync(path);
    await expect(openResultsDatabase(path)).rejects.toThrow(
      `has layout ${schemaVersion + 1}, this fewbit knows layouts up to ${schemaVersion}`,
    );
    await expect(readResultsDatabase(path)).rejects.toThrow("has layout");
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("refuses a file that is no database, and another program's", async () => {
    writeFileSync(path, "these are my notes, not a database");
    await expect(openResultsDatabase(path)).rejects.toThrow("is no SQLite database");
    expect(readFileSync(path, "utf8")).toBe("these are my notes, not a database");
    const other = new DatabaseSync(join(folder, "other.db"));
    other.exec("CREATE TABLE bookmarks (url)");
    other.close();
    const before = readFileSync(join(folder, "other.db"));
    await expect(openResultsDatabase(join(folder, "other.db"))).rejects.toThrow("another program");
    expect(readFileSync(join(folder, "other.db")).equals(before)).toBe(true);
  });

  it("says so when a database is damaged", async () => {
    (await openResultsDatabase(path)).close();
    const bytes = readFileSync(path);
    bytes.fill(0xff, 100, 4096);
    writeFileSync(path, bytes);
    await expect(openResultsDatabase(path)).rejects.toThrow(/damaged|no SQLite database/);
  });
});

describe("readResultsDatabase", () => {
  it("lets nothing be changed", async () => {
    (await openResultsDatabase(path)).close();
    const database = await readResultsDatabase(path);
    expect(() => database.execute("DELETE FROM points")).toThrow("readonly");
    database.close();
  });

  it("refuses a folder without results", async () => {
    await expect(readResultsDatabase(path)).rejects.toThrow("there are no results");
  });
});
