import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { RunRecord } from "../../src/index.ts";
import { HubServer, sha256 } from "../fixtures/hub-server.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { fewbit } from "./cli-process.ts";
import { killAt } from "./killed-runs.ts";
import { temporaryFolder } from "./shared-models.ts";

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
  const inspect = ["inspect", "hf:own/tiny"];
  const killed = await killAt(inspect, `/^write ${sha256(weights)}/half`, environment(cache));
  expect(killed).toMatchObject({ code: null });
  const partial = (await readdir(blobs(cache))).filter((name) => name.endsWith(".incomplete"));
  expect(partial).toEqual([expect.stringContaining(sha256(weights))]);
  const { size } = await stat(join(blobs(cache), partial[0]));
  expect(size).toBeGreaterThan(0);
  expect(size).toBeLessThan(weights.length);
  server.requests.length = 0;
  const { code, stderr } = await fewbit(inspect, { env: environment(cache) });
  expect(code, stderr).toBe(0);
  expect(server.downloads).toEqual([`model.safetensors from ${size}`]);
  const names = await readdir(blobs(cache));
  expect(names.filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  const blob = await readFile(join(blobs(cache), sha256(weights)));
  expect(Buffer.compare(blob, weights)).toBe(0);
});
