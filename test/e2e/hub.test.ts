import { spawn } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { RunRecord } from "../../src/index.ts";
import { HubServer, sha256 } from "../fixtures/hub-server.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { fewbit } from "./cli-process.ts";
import { temporaryFolder } from "./shared-models.ts";

const program = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const commit = "3333333333333333333333333333333333333333";
const inFolder = temporaryFolder();

let checkpoint: TinyCheckpoint;
let server: HubServer;
let weights: Buffer;

beforeAll(async () => {
  checkpoint = await writeTinyCheckpoint();
  const files: Record<string, Buffer> = {};
  for (const name of await readdir(checkpoint.path)) {
    files[name] = await readFile(join(checkpoint.path, name));
  }
  weights = files["model.safetensors"];
  server = await HubServer.start({
    "own/tiny": { commits: { [commit]: files }, refs: { main: commit } },
  });
});
afterEach(() => {
  server.requests.length = 0;
});
afterAll(async () => {
  await server.close();
  await checkpoint.remove();
});

const environment = (cache: string) => ({
  HF_ENDPOINT: server.endpoint,
  HF_HOME: inFolder(cache),
  HF_HUB_CACHE: "",
  HF_HUB_OFFLINE: "",
  HF_TOKEN: "",
});
const blobs = (cache: string): string => join(inFolder(cache), "hub/models--own--tiny/blobs");

test("every command takes hf:owner/name; the record names repository and commit", async () => {
  const env = environment("commands");
  const out = inFolder("tiny-w4");
  const quantize = [
    "quantize",
    "hf:own/tiny",
    "--method",
    "rtn",
    "--scheme",
    "w4g32",
    "--out",
    out,
  ];
  const first = await fewbit(quantize, { env });
  expect(first).toMatchObject({ code: 0 });
  expect(first.stderr).toContain("downloading own/tiny · 5 files");
  expect(first.stderr).toMatch(/^ {2}file 5\/5 {2}\S+ [kM]B of \S+ [kM]B$/m);
  const record = JSON.parse(await readFile(join(out, "run.json"), "utf8")) as RunRecord;
  expect(record.origin).toEqual({ repo: "own/tiny", revision: "main", commit });
  expect(record.recipe.model).toBe("hf:own/tiny");

  const again = await fewbit([...quantize, "--dry-run", "--json"], { env });
  expect(again.stderr).not.toContain("downloading");
  expect(JSON.parse(again.stdout)).toMatchObject({ modelName: "tiny" });
  const inspected = await fewbit(["inspect", `hf:own/tiny@${commit}`, "--json"], { env });
  expect(JSON.parse(inspected.stdout)).toMatchObject({ name: "tiny" });
  const offline = { ...env, HF_HUB_OFFLINE: "1" };
  const run = ["run", "hf:own/tiny", "--prompt", "ab", "--max-tokens", "2", "--json"];
  const generated = await fewbit(run, { env: offline });
  expect(generated.code, generated.stderr).toBe(0);
  const exported = await fewbit(
    ["export", "hf:own/tiny", "--format", "hf", "--out", inFolder("plain")],
    { env: offline },
  );
  expect(exported.stderr).toContain("is not quantized");
});

test("a model that is not there is one line of what happened and one of what to do", async () => {
  const { code, stdout, stderr } = await fewbit(["inspect", "hf:own/none"], {
    env: environment("none"),
  });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr.trim().split("\n")).toHaveLength(2);
  expect(stderr).toMatch(/has no model own\/none.*\n.*HF_TOKEN/);
});

test("a download that was killed resumes where it was", async () => {
  const cache = "killed";
  const half = weights.length >> 1;
  server.breakNext("model.safetensors", { silentAt: half });
  const child = spawn(process.execPath, [program, "inspect", "hf:own/tiny"], {
    env: { ...process.env, ...environment(cache) },
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  while ((await partialBytes(cache)) < half) await new Promise((wake) => setTimeout(wake, 20));
  child.kill("SIGKILL");
  await ended;
  server.requests.length = 0;
  const { code, stderr } = await fewbit(["inspect", "hf:own/tiny"], { env: environment(cache) });
  expect(code, stderr).toBe(0);
  expect(server.downloads).toEqual([`model.safetensors from ${half}`]);
  const names = await readdir(blobs(cache));
  expect(names.filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  const blob = await readFile(join(blobs(cache), sha256(weights)));
  expect(Buffer.compare(blob, weights)).toBe(0);
});

/** Bytes of the weights that are there so far. */
async function partialBytes(cache: string): Promise<number> {
  const names = await readdir(blobs(cache)).catch(() => []);
  const partial = names.find((name) => name.startsWith(sha256(weights)));
  return partial === undefined ? 0 : (await stat(join(blobs(cache), partial))).size;
}
