import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeOldDatabase } from "../../../test/fixtures/old-results.ts";
import { makeSweepResults } from "../../../test/fixtures/sweep-results.ts";
import { FormatError } from "../../util/errors.ts";
import { enrollPoints } from "../queue/enroll-points.ts";
import { readRecords } from "./read-records.ts";
import { openResultsDatabase, readResultsDatabase } from "./results-database.ts";
import { schemaVersion } from "./results-schema.ts";
import type { PointResult, SweepResults, TextFigures } from "./sweep-results.ts";

const module = new URL("results-database.ts", import.meta.url).href;
const databaseModule = new URL("../../platform/node-database.ts", import.meta.url).href;

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-results-"));
  path = join(folder, "results.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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

  it("makes the tables of a database that a killed process left without any", async () => {
    writeOldDatabase(path, 0, results);
    const database = await openResultsDatabase(path);
    expect(database.rows("SELECT * FROM points")).toEqual([]);
    database.close();
    expect(versionOf()).toBe(schemaVersion);
  });

  it("makes views anew that another list of figures left", async () => {
    (await openResultsDatabase(path)).close();
    const other = new DatabaseSync(path);
    other.exec("DROP VIEW texts; CREATE VIEW texts AS SELECT id FROM records");
    other.close();
    const database = await readResultsDatabase(path);
    expect(database.columns("SELECT * FROM texts")).toContain("top_token_agreement");
    database.close();
  });

  it("refuses a newer layout, and leaves it untouched", async () => {
    (await openResultsDatabase(path)).close();
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

  it.each([
    [
      "a view without end in the place of a table",
      "DROP TABLE records; CREATE VIEW records AS WITH RECURSIVE n(i) AS " +
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id FROM n",
    ],
    [
      "a column that is computed",
      "ALTER TABLE records ADD COLUMN more TEXT AS (hex(zeroblob(100000000)))",
    ],
    [
      "a trigger",
      "CREATE TRIGGER more AFTER UPDATE ON records BEGIN SELECT count(*) FROM (WITH RECURSIVE " +
        "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); END",
    ],
    [
      "views without end in an older layout",
      "PRAGMA user_version = 1; CREATE VIEW averages2 AS WITH RECURSIVE n(i) AS " +
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id FROM n",
    ],
  ])("refuses %s, before it reads any row", async (_, forged) => {
    (await openResultsDatabase(path)).close();
    const other = new DatabaseSync(path);
    other.exec(forged);
    other.close();
    await expect(readResultsDatabase(path)).rejects.toThrow("was changed by another program");
    await expect(openResultsDatabase(path)).rejects.toThrow("was changed by another program");
  });

  it("names the point and the field of a record that is damaged", async () => {
    const database = await openResultsDatabase(path);
    const work = { model: "a", recipe: null, evaluation: {} as never };
    const points = results.points.map(({ point, command }) => ({ point, work, command }));
    enrollPoints(database, {
      name: "x",
      recipe: {},
      points,
      isBusy: false,
      retryFailed: false,
      doneElsewhere: [],
    });
    const damage = (result: string): void =>
      database.execute(
        `UPDATE records SET status = 'done', result = '${result}' WHERE position = 0`,
      );
    const { label } = results.points[0].point;
    damage('{"texts": [');
    expect(() => readRecords(database)).toThrow(`result of the point ${label} in`);
    damage("{}");
    expect(() => readRecords(database)).toThrow("result.parameters: is missing");
    damage(`{"a":${"[".repeat(1000)}${"]".repeat(1000)}}`);
    expect(() => readRecords(database)).toThrow(FormatError);
    database.close();
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
    expect(() => database.execute("DELETE FROM records")).toThrow("readonly");
    database.close();
  });

  it("refuses a folder without results", async () => {
    await expect(readResultsDatabase(path)).rejects.toThrow("there are no results");
  });
});

/** Results with all that may be missing, of points of every kind, and figures without bounds. */
const results = oddResults();

function oddResults(): SweepResults {
  const made = makeSweepResults({
    models: [["tiny-0.3m", 300_000]],
    windows: 3,
    items: 7,
    failed: ["tiny-0.3m rtn w4g64"],
    waiting: ["tiny-0.3m paretoq w2-seq"],
  });
  const change: ((result: PointResult) => PointResult)[] = [
    (result) => ({ ...result, tokensPerSecond: 800, averages: [] }),
    (result) => changeText(result, { perplexity: Infinity, interval: null }),
    ({ tasks, ...rest }) => ({
      ...rest,
      tasks: tasks.map((task) => ({
        ...task,
        normalizedAccuracy: { mean: 2 / 7, standardError: 0.1 },
        rightNormalized: "0101000",
      })),
    }),
    (result) =>
      changeText(result, {
        interval: { low: 2, high: Infinity, level: 0.95 },
        klDivergence: {
          mean: 0.5,
          interval: null,
          percentile99: 4,
          percentile99Interval: null,
          maximum: 9,
          windowMeans: [0.1, 0.2, 1.2],
        },
      }),
    (result) => ({ ...result, texts: [...result.texts, ...result.texts], tasks: [] }),
  ];
  return {
    ...made,
    points: made.points.map((record, index) => ({
      ...record,
      result: record.result && (change[index] ?? ((same) => same))(record.result),
    })),
  };
}

function changeText(result: PointResult, changes: Partial<TextFigures>): PointResult {
  return { ...result, texts: result.texts.map((text) => ({ ...text, ...changes })) };
}

/** What users ask; the order of rows is asked for too. */
const queries = [
  "SELECT * FROM results",
  "SELECT * FROM points ORDER BY id",
  "SELECT * FROM texts ORDER BY point, position",
  "SELECT * FROM windows ORDER BY point, text, window",
  "SELECT * FROM tasks ORDER BY point, position",
  "SELECT * FROM averages ORDER BY point, position",
  "SELECT * FROM data ORDER BY point, role, name",
  "SELECT model, label, perplexity FROM results WHERE bits = 2 ORDER BY perplexity",
  "SELECT point, make_ms / 7 FROM (SELECT id AS point, make_ms FROM points) ORDER BY point",
  "SELECT a.point, avg(a.loss - b.loss) AS d FROM windows a JOIN windows b USING (text, window) " +
    "WHERE b.point = 'tiny-0.3m original' GROUP BY a.point ORDER BY a.point",
  "SELECT task, avg(above_chance) FROM tasks JOIN (SELECT id, label AS task FROM points) ON id = point " +
    "GROUP BY task",
];

/** Answers of a database, with the names of their columns. */
interface Answer {
  readonly columns: readonly string[];
  readonly rows: readonly object[];
}

/** What queries answer, in the columns of earlier answers: views may have got more since. */
function answersOf(earlier?: readonly Answer[]): Answer[] {
  const database = new DatabaseSync(path, { readOnly: true });
  const answers = queries.map((query, index): Answer => {
    const statement = database.prepare(query);
    const found = statement.columns().map(({ name }) => name);
    const known = earlier?.[index]?.columns;
    const columns = known ? found.filter((name) => known.includes(name)) : found;
    const rows = statement
      .all()
      .map((row) => Object.fromEntries(columns.map((name) => [name, row[name]])));
    return { columns, rows };
  });
  database.close();
  return answers;
}

/** Older layouts know no range of a speed and no processor time. */
function withoutNewer(known: SweepResults): SweepResults {
  const points = known.points.map((record) => {
    const { tokensPerSecondRange: _, makeProcessorMs: __, ...result } = record.result ?? {};
    return { ...record, result: record.result && (result as PointResult) };
  });
  return { ...known, points };
}

describe("a database of an older layout", () => {
  it.each([1, 2])("%i gives the same results and answers afterwards", async (version) => {
    writeOldDatabase(path, version, results);
    const before = answersOf();
    const database = await readResultsDatabase(path);
    expect(readRecords(database)).toEqual(withoutNewer(results));
    expect(database.rows("SELECT task, accuracy FROM task_results")).toHaveLength(26);
    database.close();
    expect(answersOf(before)).toEqual(before);
    expect(versionOf()).toBe(schemaVersion);
  });

  /**
   * Brings an old database to this layout in a process that comes to `statement` at the sixth point
   * that it writes.
   */
  function changeHalfway(statement: string): ChildProcess {
    const code = `import { writeSync } from "node:fs";
      const { Database } = await import(${JSON.stringify(databaseModule)});
      const { openResultsDatabase } = await import(${JSON.stringify(module)});
      const { run } = Database.prototype;
      let count = 0;
      Database.prototype.run = function (...values) {
        if (++count === 6) { ${statement} }
        return run.apply(this, values);
      };
      await openResultsDatabase(process.argv[1]);`;
    const stdio = ["ignore", "pipe", "ignore"] as const;
    return spawn(process.execPath, ["--input-type=module", "-e", code, path], {
      stdio: [...stdio],
    });
  }

  it("is left as it was when the change fails halfway", async () => {
    writeOldDatabase(path, 2, results);
    const before = answersOf();
    const [code] = await once(changeHalfway("throw new Error('the disk is tired')"), "exit");
    expect(code).toBe(1);
    expect(versionOf()).toBe(2);
    expect(answersOf()).toEqual(before);
  });

  it("is left as it was when the process is killed halfway", async () => {
    writeOldDatabase(path, 2, results);
    const before = answersOf();
    const child = changeHalfway('writeSync(1, "halfway"); for (;;);');
    await once(child.stdout as Readable, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(versionOf()).toBe(2);
    expect(answersOf()).toEqual(before);
    (await openResultsDatabase(path)).close();
    expect(versionOf()).toBe(schemaVersion);
    expect(answersOf(before)).toEqual(before);
  });
});
