import { spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  discardUnfinished,
  findCommitted,
  finishCommit,
  openResumable,
  stagePath,
} from "./resumable-output.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-resumable-")));
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const out = (): string => path.join(folder, "out");
const names = async (): Promise<string[]> => (await fs.readdir(folder)).sort();

/** Starts a process that opens the output and works until it is killed. */
async function startWorker(): Promise<{ kill: () => Promise<void> }> {
  const script =
    "const { openResumable } = await import(process.argv[1]);" +
    "const output = await openResumable(process.argv[2]);" +
    "const { writeFile } = await import('node:fs/promises');" +
    "await writeFile(output.file('part'), 'half');" +
    "console.log(output.workPath); setInterval(() => {}, 1000);";
  const source = new URL("./resumable-output.ts", import.meta.url).href;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, source, out()]);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return {
    kill: async () => {
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test("what a killed process left is taken over; while it works, others are refused", async () => {
  const worker = await startWorker();
  await expect(openResumable(out())).rejects.toThrow(/process \d+ is writing .*out/);
  await (await openResumable(path.join(folder, "other"))).abort();
  expect(await names()).toHaveLength(1);
  await worker.kill();
  const output = await openResumable(out());
  expect(await fs.readFile(output.file("part"), "utf8")).toBe("half");
  await output.commit();
  expect(await names()).toEqual(["out"]);
});

test("of two that start at once in one process, one continues", async () => {
  const first = await openResumable(out());
  await expect(openResumable(out())).rejects.toThrow(/is writing/);
  await first.leave();
  const both = await Promise.allSettled([openResumable(out()), openResumable(out())]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  for (const result of both) if (result.status === "fulfilled") await result.value.abort();
});

test("what is left is found again, and removed by abort or on demand", async () => {
  const first = await openResumable(out());
  await fs.writeFile(first.file("part"), "1");
  await first.leave();
  const second = await openResumable(out());
  expect(await fs.readdir(second.workPath)).toEqual(["part"]);
  await second.abort();
  expect(await names()).toEqual([]);
  await (await openResumable(out())).leave();
  await discardUnfinished(out());
  expect(await names()).toEqual([]);
});

test("an id that a later process has again does not lock anything", async () => {
  const left = await openResumable(out());
  const { workPath } = left;
  // Another process with our id, which started at another time or in another container.
  const other = workPath.replace(/-[0-9a-f]{8}$/, "-00000000");
  await fs.rename(workPath, other);
  const reused = other.replace(/unfinished-\d+-\d+-/, `unfinished-${process.ppid}-1-`);
  await fs.rename(other, reused);
  const output = await openResumable(out());
  expect(await names()).toEqual([path.basename(output.workPath)]);
  await output.abort();
});

test("unfinished work of another machine, and of another output, is left alone", async () => {
  const mine = await openResumable(out());
  const foreign = mine.workPath.replace(/-[0-9a-f]{8}-[0-9a-f]{8}$/, "-0badcafe-00000000");
  const neighbour = mine.workPath.replace(".out.", ".out2.");
  await fs.mkdir(foreign);
  await fs.mkdir(neighbour);
  await mine.leave();
  const output = await openResumable(out());
  await output.abort();
  expect(await names()).toEqual([foreign, neighbour].map((left) => path.basename(left)).sort());
});

test("a commit that was stopped in its last step can be told and finished", async () => {
  const output = await openResumable(out());
  await fs.mkdir(output.journalPath);
  await fs.rename(output.workPath, out());
  expect(await findCommitted(out())).toBe(path.join(out(), ".journal"));
  await finishCommit(out());
  expect(await findCommitted(out())).toBeNull();
  expect(await fs.readdir(out())).toEqual([]);
});

test("temporary files that a killed process left are not taken over", async () => {
  const output = await openResumable(out());
  await fs.writeFile(output.file("run.json"), "{}");
  const beside = `run.json.${process.ppid}-1-0badcafe-00000000.tmp`;
  await fs.mkdir(path.join(output.journalPath, "training"), { recursive: true });
  for (const folder of [output.workPath, path.join(output.journalPath, "training")]) {
    await fs.writeFile(path.join(folder, beside), "half");
  }
  await output.leave();
  const next = await openResumable(out());
  expect(await fs.readdir(next.workPath)).toEqual([".journal", "run.json"]);
  expect(await fs.readdir(path.join(next.journalPath, "training"))).toEqual([]);
  await next.abort();
});

test("links in what was left lead nowhere: they are refused, and stay for a person to see", async () => {
  await fs.writeFile(path.join(folder, "secret"), "1");
  for (const place of ["model.safetensors", ".journal/journal", ".journal"]) {
    const output = await openResumable(out());
    const link = output.file(place);
    await fs.mkdir(path.dirname(link), { recursive: true });
    await fs.symlink(path.join(folder, "secret"), link);
    await output.leave();
    await expect(openResumable(out()), place).rejects.toThrow(/is a link, which no run puts there/);
    await discardUnfinished(out());
  }
  await fs.mkdir(path.join(folder, "elsewhere"));
  const linked = path.join(folder, ".out.unfinished-free-00000000");
  await fs.symlink(path.join(folder, "elsewhere"), linked);
  const output = await openResumable(out());
  await fs.writeFile(output.file("a"), "1");
  await output.commit();
  expect(await fs.readdir(path.join(folder, "elsewhere"))).toEqual([]);
  expect(await fs.readFile(path.join(folder, "secret"), "utf8")).toBe("1");
});

test("a commit removes the stages of chains to this output, and of no other", async () => {
  const left = await openResumable(stagePath(out(), 2));
  await left.leave();
  const others = [".out2.stage-1", ".out.stage-x", "stage-1"];
  for (const name of [".out.stage-1", ...others]) await fs.mkdir(path.join(folder, name));
  await (await openResumable(out())).commit();
  expect(await names()).toEqual([...others, "out"].sort());
});
