import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Finished, fewbit, fewbitHere } from "./cli-process.ts";
import { stopIn } from "./killed-runs.ts";

/*
 * Disks that are full, read-only or at fault in the middle of a command: the message names the file
 * and what is missing, what is finished is kept, and the same command resumes.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const model = join(root, "builtin/model");
const text = join(root, "builtin/text/validation.txt");

const folder = mkdtempSync(join(tmpdir(), "fewbit-disk-"));
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  writeFileSync(
    at("sweep.yaml"),
    `name: test
models: [{ id: one, path: ${model} }]
evaluation: { texts: [{ file: ${text}, window: 64, maxWindows: 2 }], speedTokens: 0 }
variants: [{ method: rtn, scheme: w4g32 }]
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command whose changes fail from a moment on. */
function failAt(moment: string, code: string, args: readonly string[]): Promise<Finished> {
  const env = { FEWBIT_THREADS: "1", FAIL_AT: moment, FAIL_WITH: code };
  return fewbit(args, { env: stopIn("main", env) });
}

describe("a quantization", () => {
  const quantize = (out: string): string[] =>
    `quantize ${model} --method rtn --scheme w4g32 --out ${out}`.split(" ");

  test.each([
    ["ENOSPC", /the disk is full, [\d.]+ \wB free\n {7}free some space/],
    ["EDQUOT", /the disk quota is used up\n {7}free some space/],
    ["EROFS", /the file system is read-only\n {7}choose a folder on another disk/],
    ["EACCES", /permission denied\n {7}check the owner/],
    ["EIO", /the disk reported an error\n {7}check the disk/],
    ["EMFILE", /too many files are open\n {7}raise the limit \(ulimit -n\)/],
  ])("%s: names the file, keeps what is finished, and resumes", async (code, said) => {
    const out = at(code);
    const { code: exit, stderr } = await failAt("/^write config.json/", code, quantize(out));
    expect(exit).toBe(1);
    expect(stderr).toMatch(/\nerror {2}cannot write \/\S*fewbit-disk\S+config\.json\S*: /);
    expect(stderr).toMatch(said);
    expect(stderr).toMatch(/; what is finished is kept: run the same command again to resume\n$/);
    const again = await fewbitHere(quantize(out));
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(/resuming after block 6 of 6/);
    expect(readdirSync(folder).filter((name) => name.startsWith(`.${code}.`))).toEqual([]);
  });
});

describe("a sweep", () => {
  const sweep = (name: string): string[] => ["sweep", at("sweep.yaml"), "--out", at(name)];

  test.each([
    ["13", /cannot write \S+results\.db: the disk is full, .* free\n {7}free some space; what is/],
    ["10", /cannot use \S+results\.db: the disk reported an error\n {7}check the disk; what is/],
    ["8", /cannot use \S+results\.db: it cannot be written to\n {7}check the owner/],
    ["5", /cannot use \S+results\.db: another program holds it\n {7}close that program/],
    ["14", /cannot use \S+results\.db: it cannot be opened\n {7}check the owner/],
    ["11", /\S+results\.db is damaged/],
  ])("whose database gives %i: says so, and resumes", async (code, said) => {
    const name = `database-${code}`;
    const { code: exit, stderr } = await failAt("/^sql UPDATE/", code, sweep(name));
    expect(exit).toBe(1);
    expect(stderr).toMatch(said);
    const again = await fewbitHere(sweep(name), { env: { FEWBIT_THREADS: "1" } });
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("rtn w4g32");
  });

  test("of which a report cannot be written names the file", async () => {
    await fewbitHere(sweep("done"), { env: { FEWBIT_THREADS: "1" } });
    const report = ["report", at("done")];
    const { code, stderr } = await failAt("/^write report/", "ENOSPC", report);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error {2}cannot write \S+report\.html\S*: the disk is full, /);
    expect((await fewbitHere(report)).code).toBe(0);
  });
});

test("a Node without databases is named before any work of a sweep", async () => {
  const env = { NODE_OPTIONS: "--no-experimental-sqlite" };
  const { code, stdout, stderr } = await fewbit(["sweep", at("sweep.yaml")], { env });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/SQLite database, which Node \S+ does not bring\n {7}use Node 22\.13/);
  expect(readdirSync(folder)).not.toContain("sweep");
});
