import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openResults, queryResults, report } from "../../../src/index.ts";
import { describeMachine } from "../../../src/platform/node.ts";
import { DatabaseQueue } from "../../../src/sweep/queue/database-queue.ts";
import { enrollPoints } from "../../../src/sweep/queue/enroll-points.ts";
import { writeDocument } from "../../../src/sweep/results/read-records.ts";
import { openResultsDatabase } from "../../../src/sweep/results/results-database.ts";
import { formatResultsJson } from "../../../src/sweep/results/results-json.ts";
import type { SweepResults } from "../../../src/sweep/results/sweep-results.ts";
import { makeSweepResults } from "../../../test/fixtures/sweep-results.ts";
import type { Kind } from "../kind.ts";
import type { Mutator } from "../mutator.ts";
import { copyFolder } from "./fixtures.ts";

function smallResults(): SweepResults {
  return makeSweepResults({
    models: [
      ["a", 300_000],
      ["b", 800_000],
    ],
    methods: [["rtn", ["w4g64", "w2g64"]]],
    windows: 12,
    items: 10,
  });
}

/** Writes results as the database of a sweep. */
async function writeDatabase(folder: string, results: SweepResults): Promise<void> {
  const database = await openResultsDatabase(join(folder, "results.db"));
  const work = { model: "a", recipe: null, evaluation: {} as never };
  const points = results.points.map(({ point, command }) => ({ point, work, command }));
  const { name, recipe } = results;
  enrollPoints(database, {
    name,
    recipe,
    points,
    isBusy: false,
    retryFailed: false,
    doneElsewhere: [],
  });
  for (const { point, status, result, run, machine } of results.points) {
    database.run(
      "UPDATE records SET status = ?, result = ?, run = ?, machine = ?, data = '[]' WHERE id = ?",
      status,
      writeDocument(result),
      JSON.stringify(run),
      JSON.stringify(machine),
      point.id,
    );
  }
  database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

/** The file that a report leaves. */
export const resultsJson: Kind = {
  id: "results-json",
  title: "results.json, and reports of it",
  open: async (folder) => {
    const good = JSON.parse(formatResultsJson(smallResults())) as unknown;
    return async (mutator) => {
      const path = join(folder, "results.json");
      writeFileSync(path, mutator.json(good));
      await report(path, { out: join(folder, "report") });
    };
  },
};

const columns = ["result", "run", "machine", "work", "data"] as const;

/** Changes a document in a database, or a value of another column, or the schema. */
function changeRecord(path: string, mutator: Mutator): void {
  const database = new DatabaseSync(path);
  try {
    const column = mutator.pick(columns);
    const row = database
      .prepare(`SELECT id, ${column} AS value FROM records LIMIT 1 OFFSET 1`)
      .get();
    const { id = null, value } = row ?? {};
    const json = mutator.json(JSON.parse(String(value ?? "null")) as unknown);
    database.prepare(`UPDATE records SET ${column} = ? WHERE id = ?`).run(json, id);
    if (mutator.prng.below(3) > 0) return;
    const [name, forged] = mutator.pick(forgeries);
    mutator.changes.push(name);
    try {
      database.exec(forged);
    } catch {
      // What was changed before does not let it.
    }
  } finally {
    database.close();
  }
}

const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT";

/** What somebody may have done to a database. */
const forgeries: readonly (readonly [string, string])[] = [
  ["a column of bytes", "UPDATE records SET label = x'ff00'"],
  ["no label", "PRAGMA legacy_alter_table = ON; ALTER TABLE records RENAME COLUMN label TO other"],
  ["bits as a text", "UPDATE records SET bits = 'many'"],
  ["no sweep", "DELETE FROM sweep"],
  [
    "a huge document",
    "UPDATE records SET result = '[' || hex(zeroblob(2000000)) || ']' WHERE position = 1",
  ],
  [
    "records that never end",
    `DROP TABLE records; CREATE VIEW records AS ${endless} i AS id FROM n`,
  ],
  ["a view that never ends", `DROP VIEW results; CREATE VIEW results AS ${endless} i FROM n`],
  ["an older layout", "PRAGMA user_version = 1"],
  [
    "a trigger",
    `CREATE TRIGGER t AFTER UPDATE ON records BEGIN SELECT (${endless} count(*) FROM n); END`,
  ],
];

/** The database of a sweep, its bytes and what it holds. */
export const resultsDatabase: Kind = {
  id: "results-db",
  title: "results.db",
  open: async (folder) => {
    await writeDatabase(folder, smallResults());
    const path = join(folder, "results.db");
    const bytes = new Uint8Array(readFileSync(path));
    return async (mutator) => {
      if (mutator.prng.below(2) === 0) writeFileSync(path, mutator.bytes(bytes));
      else {
        writeFileSync(path, bytes);
        changeRecord(path, mutator);
      }
      await openResults(folder);
      // These take a hundred times as long.
      const next = mutator.prng.below(8);
      if (next === 0) await report(folder, { out: join(folder, "report") });
      else if (next === 1) await queryResults(folder, "SELECT * FROM results");
    };
  },
};

const queries: readonly string[] = [
  "SELECT label, perplexity FROM results WHERE bits = 2 ORDER BY perplexity LIMIT 3",
  "SELECT model, count(*), avg(bits_per_weight) FROM points GROUP BY model HAVING count(*) > 1",
  "WITH best AS (SELECT min(bits) AS bits FROM results) SELECT * FROM results JOIN best USING (bits)",
  "SELECT json_extract(run, '$.x'), window, loss, kl FROM windows JOIN points ON points.id = point",
  `${endless} count(*) FROM n`,
  "VACUUM INTO 'other.db'",
  "ATTACH 'other.db' AS other",
  "PRAGMA journal_mode = DELETE",
  "DELETE FROM records",
  "SELECT hex(zeroblob(400000000))",
];
const sqlWords: readonly string[] = [
  "SELECT ",
  "*",
  "FROM results ",
  "WHERE ",
  "(",
  ")",
  ",",
  ";",
  "'",
  '"',
  "--",
  "/*",
  "UNION ALL ",
  "JOIN points ",
  "ORDER BY 1 ",
  "LIMIT 9 ",
  "randomblob(1000000000)",
  "zeroblob(900000000)",
  "hex(",
  "printf('%.*c', 900000000, 'x')",
  "load_extension('x')",
  "VACUUM INTO 'x' ",
  "ATTACH 'x' AS x ",
  "PRAGMA writable_schema = 1 ",
  "DROP TABLE records ",
  "readfile('x')",
  "group_concat(label)",
  "json_each(",
  "sqlite_schema ",
  "replace(hex(zeroblob(9999)), '0', hex(zeroblob(9999)))",
  "NOT ",
  "likely(",
  "EXPLAIN ",
]; // prettier-ignore

/** Names of files, without those in which SQLite keeps its readers. */
function namesIn(folder: string): string {
  return readdirSync(folder)
    .filter((name) => !/-(wal|shm)$/.test(name))
    .join();
}

/** Questions in SQL. */
export const sql: Kind = {
  id: "sql",
  title: "questions in SQL",
  open: async (folder) => {
    await writeDatabase(folder, smallResults());
    const before = readFileSync(join(folder, "results.db"));
    const names = namesIn(folder);
    return async (mutator) => {
      const isSame = (): boolean =>
        namesIn(folder) === names && readFileSync(join(folder, "results.db")).equals(before);
      const question = mutator.text(mutator.pick(queries), sqlWords);
      const failure = await queryResults(folder, question).then(
        () => null,
        (error: unknown) => error,
      );
      if (!isSame()) throw new Error(`the disk is not as it was after ${question}`);
      if (failure !== null) throw failure;
    };
  },
};

/** The queue of a sweep, whose rows others may have written. */
export const queue: Kind = {
  id: "queue",
  title: "the queue of a sweep",
  open: async (folder) => {
    const original = join(folder, "good");
    const results = smallResults();
    mkdirSync(original);
    await writeDatabase(original, results);
    const ids = new Set(results.points.map(({ point }) => point.id));
    return async (mutator) => {
      const copy = join(folder, "copy");
      copyFolder(original, copy);
      const path = join(copy, "results.db");
      changeRecord(path, mutator);
      const database = await openResultsDatabase(path);
      try {
        database.execute("UPDATE records SET status = 'waiting'");
        const worker = { fewbit: "0", machine: describeMachine() };
        const points = new DatabaseQueue(database, ids);
        for (let claim = await points.claim(worker, null); claim; ) {
          await points.fail(claim, { code: "USAGE", message: "no" }, false);
          claim = await points.claim(worker, "a");
        }
        await points.counts();
        points.isDone();
      } finally {
        database.close();
      }
    };
  },
};
