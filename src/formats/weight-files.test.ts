import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FormatError } from "../util/errors.ts";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import { SafetensorsWriter } from "./safetensors-writer.ts";
import { openWeights, strayShards } from "./weight-files.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fewbit-weight-files-"));
});
afterEach(() => rm(folder, { recursive: true }));

const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/** Shards of one byte a tensor, whose index is changed. */
async function writeShards(edit: (map: Record<string, string>) => void): Promise<void> {
  const entries = ["a", "b"].map((name) => ({ name, dtype: "u8" as const, shape: [1] }));
  const writer = await CheckpointWriter.create(folder, entries, { maxShardBytes: 1 });
  for (const { name } of entries) await writer.write(name, Uint8Array.of(7));
  await writer.finish();
  const index = join(folder, "model.safetensors.index.json");
  const { weight_map: map } = JSON.parse(await readFile(index, "utf8"));
  edit(map);
  await writeFile(index, JSON.stringify({ weight_map: map }));
}

/** Puts tensors of one byte each into a shard, in place of what it held. */
async function writeShard(fileName: string, names: readonly string[]): Promise<void> {
  const entries = names.map((name) => ({ name, dtype: "u8" as const, shape: [1] }));
  await rm(join(folder, fileName));
  const writer = await SafetensorsWriter.create(join(folder, fileName), entries);
  for (const name of names) await writer.write(name, Uint8Array.of(8));
  await writer.finish();
}

async function ownersOf(): Promise<string[]> {
  const { owners, files } = await openWeights(folder);
  await Promise.all(files.map((file) => file.close()));
  return [...owners]
    .map(([name, { path }]) => `${name} in ${path.slice(folder.length + 1)}`)
    .sort();
}

test("a tensor that two shards hold is taken from the one that the index names", async () => {
  await writeShards(() => {});
  await writeShard(second, ["a", "b"]);
  expect(await ownersOf()).toEqual([`a in ${first}`, `b in ${second}`]);
});

test("a tensor that the index does not list is taken from the shard that holds it", async () => {
  await writeShards(() => {});
  await writeShard(second, ["b", "c"]);
  expect(await ownersOf()).toEqual([`a in ${first}`, `b in ${second}`, `c in ${second}`]);
  await writeShard(first, ["a", "c"]);
  await expect(ownersOf()).rejects.toThrow(/two shards hold "c"/);
});

test("shards that no index names are listed, and not read", async () => {
  await writeShards((map) => {
    delete map.b;
  });
  expect(await ownersOf()).toEqual([`a in ${first}`]);
  expect(await strayShards(folder)).toEqual([second]);
});

test("nothing is stray beside a single file", async () => {
  await writeShards(() => {});
  await rename(join(folder, first), join(folder, "model.safetensors"));
  expect(await strayShards(folder)).toEqual([]);
  expect(await ownersOf()).toEqual(["a in model.safetensors"]);
});

test.each([
  ["consolidated.safetensors", /Mistral/],
  ["adapter_model.safetensors", /merged/],
  ["model-00001-of-00003.safetensors", /index/],
  ["weights.safetensors", /name the file model.safetensors/],
])("%s alone is a FormatError with the way out", async (name, hint) => {
  await writeFile(join(folder, name), "");
  const error = await openWeights(folder).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(FormatError);
  expect((error as FormatError).message).toContain(name);
  expect((error as FormatError).hint).toMatch(hint);
});
