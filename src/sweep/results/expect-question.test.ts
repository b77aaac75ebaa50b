import { describe, expect, it } from "vitest";
import { UsageError } from "../../util/errors.ts";
import { expectQuestion } from "./expect-question.ts";

describe("expectQuestion", () => {
  it.each([
    "SELECT 1",
    "  select * from results;  ",
    "-- a remark; with a mark\nSELECT ';' AS a, \"b;\" /* ; */ FROM results -- the end;",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "VALUES (1), (2)",
    "SELECT 'it''s; DROP' AS a",
  ])("lets %j through", (sql) => {
    expect(() => expectQuestion(sql)).not.toThrow();
  });

  it.each([
    ["", /got something else/],
    ["   -- nothing", /got something else/],
    ["VACUUM INTO 'x.db'", /got VACUUM/],
    ["/* SELECT */ ATTACH 'x.db' AS x", /got ATTACH/],
    ["PRAGMA writable_schema = 1", /got PRAGMA/],
    ["SELECT 1; DELETE FROM records", /several/],
    ["SELECT 'a' -- ;\n; SELECT 2", /several/],
    ["EXPLAIN SELECT 1", /got EXPLAIN/],
  ])("refuses %j", (sql, message) => {
    expect(() => expectQuestion(sql)).toThrow(UsageError);
    expect(() => expectQuestion(sql)).toThrow(message);
  });

  it("takes no longer for marks that have no end", () => {
    for (const text of [
      "/*".repeat(200_000),
      "'".repeat(400_001),
      `SELECT ${"[".repeat(300_000)}`,
    ]) {
      const start = process.cpuUsage();
      try {
        expectQuestion(text);
      } catch {
        // Whatever it is, it is said soon.
      }
      const { user, system } = process.cpuUsage(start);
      expect(user + system).toBeLessThan(2e6);
    }
  });
});
