import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { report, UsageError } from "../../src/index.ts";
import { formatResultsJson } from "../../src/sweep/results/results-json.ts";
import { makeSweepResults } from "../fixtures/sweep-results.ts";
import { fewbitHere } from "./cli-process.ts";

const folder = mkdtempSync(join(tmpdir(), "fewbit-report-files-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = { methods: [["gptq", ["w4g64", "w2g64"]]], windows: 12, items: 20 } as const;
const results = makeSweepResults(small);

test("the command and the library write the same files, and say what was found", async () => {
  const source = join(folder, "results.json");
  writeFileSync(source, formatResultsJson(results));
  const out = join(folder, "by-command");
  const words = ["report", source, "--out", out, "--title", "Sizes", "--json", "--quiet"];
  const { code, stdout } = await fewbitHere(words);
  expect(code).toBe(0);
  const written = JSON.parse(stdout) as Awaited<ReturnType<typeof report>>;
  expect(written.title).toBe("Sizes");
  expect(written.findings.length).toBeGreaterThan(0);
  expect(readdirSync(out).sort()).toEqual(
    written.files.map((path) => path.slice(out.length + 1)).sort(),
  );
  const again = await report(results, { out: join(folder, "by-library"), title: "Sizes" });
  for (const [index, path] of written.files.entries()) {
    expect(readFileSync(again.files[index] ?? "", "utf8")).toBe(readFileSync(path, "utf8"));
  }
});

test("a report into the folder of an earlier one leaves no chart of that one behind", async () => {
  const out = join(folder, "twice");
  await report(results, { out });
  expect(readdirSync(out)).toContain("family-size.svg");
  await report(makeSweepResults({ ...small, models: [["one", 300_000]] }), { out });
  expect(readdirSync(out)).not.toContain("family-size.svg");
});

test("results in memory need a folder, and a folder without results is refused", async () => {
  await expect(report(results)).rejects.toThrow(UsageError);
  const empty = mkdtempSync(join(folder, "empty-"));
  await expect(report(empty)).rejects.toThrow("holds no results");
  await expect(report(join(folder, "absent"))).rejects.toThrow("does not exist");
});

test("the report of the family of sizes is what its results give, and they are its recipe's", async () => {
  const family = fileURLToPath(new URL("../../docs/family/", import.meta.url));
  const read = (name: string): string => readFileSync(join(family, name), "utf8");
  const out = join(folder, "family");
  const title = /^# (.*)$/m.exec(read("report.md"))?.[1] ?? "";
  const { findings } = await report(join(family, "results.json"), { out, title });
  for (const name of ["report.md", "results.csv", "family-linear-size.svg"]) {
    expect(readFileSync(join(out, name), "utf8"), name).toBe(read(name));
  }
  expect(JSON.parse(read("results.json")).recipe).toEqual(parse(read("sweep.yaml")));
  // Whole files and linear layers disagree there: both sides are said first.
  const [first, second] = findings.map(({ text }) => text);
  expect(first).toMatch(/^At equal file size 2 bits .* are worse than 4 bits /);
  expect(second).toMatch(/^At equal bytes of the linear layers 2 bits .* are better than 4 bits /);
});
