import { spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as platform from "./node.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-beside-"));
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);
const names = async (): Promise<string[]> => (await fs.readdir(folder)).sort();

/** Starts a process that writes a file and never comes to its end; returns when it has begun. */
async function startWriter(name: string): Promise<{ kill: () => Promise<void> }> {
  const script =
    "const { writeBeside } = await import(process.argv[1]);" +
    "const { writeFile } = await import('node:fs/promises');" +
    "await writeBeside(process.argv[2], async (beside) => { await writeFile(beside, 'half');" +
    "console.log(beside); await new Promise((resolve) => setTimeout(resolve, 1e6)); });";
  const source = new URL("./write-beside.ts", import.meta.url).href;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, source, at(name)]);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return {
    kill: async () => {
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test("what a killed writer left goes when the file is written again, a living one's stays", async () => {
  const writer = await startWriter("a.json");
  const [theirs = ""] = await names();
  expect(platform.isTemporaryName(theirs)).toBe(true);
  await platform.writeText(at("a.json"), "1");
  await platform.writeText(at("b.json"), "2");
  expect(await names()).toEqual(["a.json", theirs, "b.json"]);
  await writer.kill();
  await platform.writeText(at("b.json"), "3");
  expect(await names()).toContain(theirs);
  await platform.writeText(at("a.json"), "4");
  expect(await names()).toEqual(["a.json", "b.json"]);
  expect(await fs.readFile(at("a.json"), "utf8")).toBe("4");
});

test("nothing is left of a file that could not be written", async () => {
  const failed = platform.writeBeside(at("a"), async (beside) => {
    await fs.writeFile(beside, "half");
    throw new Error("no");
  });
  await expect(failed).rejects.toThrow("no");
  expect(await names()).toEqual([]);
});

test("names of people's own are no temporary ones", () => {
  for (const name of ["a.tmp", "notes.1234abcd.tmp", "run.json", ".tmp"]) {
    expect(platform.isTemporaryName(name), name).toBe(false);
  }
});
