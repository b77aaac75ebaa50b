import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { fewbitHere as fewbit } from "./cli-process.ts";

const folder = mkdtempSync(join(tmpdir(), "fewbit-plan-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = {
  model_type: "llama",
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  vocab_size: 32000,
  torch_dtype: "float16",
  tie_word_embeddings: false,
};

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const llama = written("llama.json", JSON.stringify(config));
const here = ["--machine", "rtx-4090,h100"];

test("a plan says size, what fits and speeds of a model of which there is nothing but a config", async () => {
  const words = ["--scheme", "w2g64,w4g128", "--memory", "8GB"];
  const { code, stdout } = await fewbit(["plan", llama, ...here, ...words]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/6\.74 B parameters/);
  expect(stdout).toMatch(/w2g64 +2\.28 +2\.12 GB/);
  expect(stdout).toMatch(/as it is +does not fit/);
  expect(stdout).toMatch(/GeForce RTX 4090 +too large +\d+/);
});

test("as JSON it has the same figures, machines with their sources among them", async () => {
  const { stdout } = await fewbit(["plan", llama, ...here, "--scheme", "w2g64", "--json"]);
  const plan = JSON.parse(stdout) as {
    variants: {
      name: string;
      stored: { all: number };
      machines: { speeds: { decode: number } }[];
    }[];
    machines: { id: string; source: string }[];
  };
  expect(plan.variants.map(({ name }) => name)).toEqual(["as it is", "w2g64"]);
  expect(plan.variants[1]?.stored.all).toBe(2_117_541_888);
  expect(plan.machines[0]).toMatchObject({ id: "rtx-4090", source: /NVIDIA/ });
  expect(plan.variants[1]?.machines[1]?.speeds.decode).toBeGreaterThan(1000);
});

test.each([
  [
    "a machine that nobody knows",
    ["--machine", "rtx-409"],
    /did you mean rtx-4090\?.*known: raspb/,
  ],
  ["a scheme that is none", ["--scheme", "w2g"], /is not a scheme id/],
  ["an empty entry of a list", ["--scheme", "w2g64,"], /--scheme is empty/],
  ["no memory", ["--memory", "0"], /Expected a size above zero/],
  ["a size that is none", ["--memory", "lots"], /Expected a size above zero/],
  ["no context", ["--context", "0"], /--context/],
  ["a cache that is none", ["--kv-cache", "i5"], /i8/],
  ["a table that is missing", ["--machine", "nowhere.json"], /nowhere\.json/],
])("%s is refused", async (_, words, message) => {
  const { code, stderr } = await fewbit(["plan", llama, ...words]);
  expect(code).not.toBe(0);
  expect(stderr.replace(/\s+/g, " ")).toMatch(message);
});

test("a head of its own is refused where the embedding is the head", async () => {
  const tied = written("tied.json", JSON.stringify({ ...config, tie_word_embeddings: true }));
  const { code, stderr } = await fewbit(["plan", tied, ...here, "--head", "w4g64"]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/one table, one scheme/);
});

test.each([
  [
    "without a field",
    JSON.stringify({ ...config, num_hidden_layers: undefined }),
    /num_hidden_layers/,
  ],
  ["of an unknown family", JSON.stringify({ ...config, model_type: "zebra" }), /"zebra"/],
  ["that is cut off", '{"model_type": "ll', /not JSON/],
  ["that is no object", "[1]", /expected a JSON object/],
])("a config %s is refused by name", async (_, text, message) => {
  const { code, stderr } = await fewbit(["plan", written("broken.json", text), ...here]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(message);
});
