import { spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFile, fileError, processId } from "../../platform/node.ts";
import { UsageError } from "../../util/errors.ts";
import type { OutputOptions } from "./output-directory.ts";
import { asideName } from "./output-leftovers.ts";
import { openResumable, type ResumableOutput } from "./resumable-output.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-output-")));
});
afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true });
});
const at = (...names: string[]): string => path.join(folder, ...names);
const names = async (): Promise<string[]> => (await fs.readdir(folder)).sort();

/** Makes a directory that looks like a checkpoint. */
async function makeModel(name: string, mark: string): Promise<string> {
  await fs.mkdir(at(name));
  await fs.writeFile(at(name, "config.json"), mark);
  return at(name);
}
const markOf = async (name: string): Promise<string> =>
  fs.readFile(at(name, "config.json"), "utf8");

/** Makes an output whole. */
async function makeOutput(
  path: string,
  options: OutputOptions,
  body: (output: ResumableOutput) => Promise<void>,
): Promise<void> {
  const output = await openResumable(path, options);
  await body(output);
  await output.commit();
}

/** A process id that was in use and no longer is. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => child.on("exit", resolve));
  return child.pid ?? 0;
}

test("until commit nothing stands under the final name; after it, all does and nothing else", async () => {
  const output = await openResumable(at("out"));
  await fs.writeFile(output.file("a"), "1");
  await fs.mkdir(output.file("sub"));
  await fs.writeFile(output.file("sub/b"), "2");
  expect(await names()).not.toContain("out");
  await output.commit();
  expect(await names()).toEqual(["out"]);
  expect(await fs.readFile(at("out", "sub", "b"), "utf8")).toBe("2");
  await output.abort();
  expect(await names()).toEqual(["out"]);
  await expect(output.commit()).rejects.toThrow(/committed already/);
});

test("abort leaves nothing", async () => {
  const output = await openResumable(at("out"));
  await fs.writeFile(output.file("a"), "1");
  await output.abort();
  expect(await names()).toEqual([]);
});

test("an existing output is refused with the way out, an empty directory is not", async () => {
  await makeModel("out", "old");
  const error = await openResumable(at("out")).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as UsageError).hint).toContain("`overwrite`");
  expect(error).toMatchObject({ field: "out", value: expect.stringMatching(/out$/) });
  await fs.mkdir(at("empty"));
  await makeOutput(at("empty"), {}, async (output) => fs.writeFile(output.file("a"), "1"));
  expect(await fs.readdir(at("empty"))).toEqual(["a"]);
  await fs.writeFile(at("file"), "");
  await expect(openResumable(at("file"), { overwrite: true })).rejects.toThrow(/not a directory/);
});

test("--overwrite replaces a model whole, at commit only, and never anything else", async () => {
  await makeModel("out", "old");
  await fs.writeFile(at("out", "extra"), "");
  const output = await openResumable(at("out"), { overwrite: true });
  await fs.writeFile(output.file("config.json"), "new");
  expect(await markOf("out")).toBe("old");
  await output.commit();
  expect(await markOf("out")).toBe("new");
  expect(await fs.readdir(at("out"))).toEqual(["config.json"]);
  expect(await names()).toEqual(["out"]);

  await fs.mkdir(at("documents"));
  await fs.writeFile(at("documents", "thesis"), "");
  const options = { overwrite: true };
  await expect(openResumable(at("documents"), options)).rejects.toThrow(/no config.json/);
  await expect(openResumable(process.cwd(), options)).rejects.toThrow(/working directory/);
  await expect(openResumable("/", options)).rejects.toThrow(UsageError);
});

test("an aborted overwrite keeps the old model", async () => {
  await makeModel("out", "old");
  const output = await openResumable(at("out"), { overwrite: true });
  await fs.writeFile(output.file("config.json"), "new");
  await output.abort();
  expect(await markOf("out")).toBe("old");
  expect(await names()).toEqual(["out"]);
});

test("what somebody else put under the final name meanwhile is left alone", async () => {
  const output = await openResumable(at("out"));
  await makeModel("out", "theirs");
  await expect(output.commit()).rejects.toThrow(/made by somebody else/);
  await output.abort();
  expect(await markOf("out")).toBe("theirs");
  await fs.mkdir(at("empty"));
  const second = await openResumable(at("empty"));
  await fs.writeFile(at("empty", "theirs"), "");
  await expect(second.commit()).rejects.toThrow(/made by somebody else/);
  expect(await fs.readdir(at("empty"))).toEqual(["theirs"]);
});

test("an output that is, holds or lies in the input is refused, through links too", async () => {
  const input = await makeModel("model", "in");
  await fs.symlink(input, at("link"));
  for (const out of [input, at("model", "out"), at("link", "out"), at("link"), folder]) {
    const made = openResumable(out, { inputs: [at("link")], overwrite: true });
    await expect(made, out).rejects.toThrow(/must not contain each other/);
  }
  expect(await markOf("model")).toBe("in");
  const beside = await openResumable(at("model-w2"), { inputs: [input] });
  await beside.abort();
});

test("a link to a directory is written through, not replaced", async () => {
  await makeModel("real", "old");
  await fs.symlink(at("real"), at("link"));
  await makeOutput(at("link"), { overwrite: true }, async (output) =>
    fs.writeFile(output.file("config.json"), "new"),
  );
  expect(await markOf("real")).toBe("new");
  expect((await fs.lstat(at("link"))).isSymbolicLink()).toBe(true);
});

test("a missing parent and a full disk are found before any work", async () => {
  await expect(openResumable(at("no", "out"))).rejects.toThrow(/no folder .*no to write into/);
  const tooMuch = openResumable(at("out"), { needBytes: 2 ** 60 });
  await expect(tooMuch).rejects.toThrow(/needs 1150000 TB, .* free/);
  expect(await names()).toEqual([]);
});

test.skipIf(process.getuid?.() === 0)(
  "an unwritable parent is found before any work (skipped for root, who may write anywhere)",
  async () => {
    await fs.mkdir(at("locked"), { mode: 0o500 });
    await expect(openResumable(at("locked", "out"))).rejects.toThrow(/no permission/);
  },
);

test("leftovers of other outputs, other machines and odd names are left alone", async () => {
  const dead = String(await deadProcess());
  const own = asideName("out").replace(String(processId()), dead);
  const others = [
    own.replace(".out.", ".out2."),
    own.replace(/-[0-9a-f]{8}-/, "-00000000-"),
    ".out.replaced-notes",
  ];
  await makeModel("out", "new");
  for (const name of [own, ...others]) await fs.mkdir(at(name));
  await (await openResumable(at("out"), { overwrite: true })).abort();
  expect(await names()).toEqual([...others, "out"].sort());
});

test("a model moved aside by a run that died before the second rename gets its name back", async () => {
  const dead = String(await deadProcess());
  await makeModel(asideName("out").replace(String(processId()), dead), "old");
  await expect(openResumable(at("out"))).rejects.toThrow(/exists already/);
  expect(await markOf("out")).toBe("old");
  expect(await names()).toEqual(["out"]);
});

test("system errors become one line with a hint", async () => {
  const full = await fs.open("/dev/full", "w").catch(() => null);
  const cause = full
    ? await full.write("x").catch((error: unknown) => error)
    : Object.assign(new Error("x"), { code: "ENOSPC" });
  await full?.close();
  const error = fileError("write", "out/model.safetensors", cause);
  expect(error.message).toBe("cannot write out/model.safetensors: the disk is full");
  expect(error.hint).toMatch(/free some space/);
  await fs.writeFile(at("file"), "");
  await expect(createFile(at("file", "below"))).rejects.toThrow(/not a directory/);
  await expect(createFile(at("no", "below"))).rejects.toThrow(/does not exist/);
});
