import { existsSync, readdirSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { queryResults, UsageError } from "../../src/index.ts";
import { openResultsDatabase } from "../../src/sweep/results/results-database.ts";
import { temporaryFolder } from "./shared-models.ts";

const inFolder = temporaryFolder();
const folder = (): string => inFolder("sweep");

beforeAll(async () => {
  const { mkdirSync } = await import("node:fs");
  mkdirSync(folder());
  (await openResultsDatabase(inFolder("sweep/results.db"))).close();
});

const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

describe("a question to the results", () => {
  test("is answered, infinite numbers included", async () => {
    const { columns, rows } = await queryResults(folder(), "SELECT 9e999 AS a, 'b' AS b");
    expect({ columns, rows }).toEqual({ columns: ["a", "b"], rows: [{ a: Infinity, b: "b" }] });
    expect((await queryResults(folder(), "SELECT * FROM results")).columns).toContain("label");
  });

  test.each([
    ["writes another file", `VACUUM INTO '{folder}/other.db'`],
    ["opens another file", `ATTACH '{folder}/other.db' AS other`],
    ["changes a setting", "PRAGMA journal_mode = DELETE"],
    ["removes rows", "DELETE FROM records"],
    ["removes rows behind a name", "WITH x AS (SELECT 1) DELETE FROM records"],
    ["asks and removes", "SELECT 1; DROP TABLE records"],
    ["loads code", "SELECT load_extension('/tmp/x.so')"],
    ["is wrong", "SELECT nothing FROM results"],
  ])("that %s is refused, and nothing is changed", async (_, sql) => {
    const before = readdirSync(folder());
    const asked = queryResults(folder(), sql.replace("{folder}", folder()));
    await expect(asked).rejects.toBeInstanceOf(UsageError);
    expect(readdirSync(folder())).toEqual(before);
    expect(existsSync(inFolder("sweep/other.db"))).toBe(false);
  });

  test.each([
    ["rows", `${endless} SELECT i FROM n`, /^the query (gives|needs|takes)/],
    [
      "memory",
      "SELECT group_concat(hex(zeroblob(40000000))) FROM (VALUES (1), (2), (3))",
      /^the query/,
    ],
  ])("without bounds on its %s is ended", async (_, sql, message) => {
    const asked = queryResults(folder(), sql);
    await expect(asked).rejects.toThrow(message);
    await expect(asked).rejects.toBeInstanceOf(UsageError);
  });

  test("without end is ended after ten seconds", async () => {
    const asked = queryResults(folder(), `${endless} SELECT count(*) FROM n`);
    await expect(asked).rejects.toThrow("takes longer than 10 s");
  });
});
