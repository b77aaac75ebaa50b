import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { exportCheckpoint, inspect, type LanguageModel, load, quantize } from "../../src/index.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import { type TinyCheckpointOptions, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { temporaryFolder } from "./shared-models.ts";

const inFolder = temporaryFolder();
const removals: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const remove of removals.splice(0)) await remove();
});

async function tiny(options: TinyCheckpointOptions): Promise<string> {
  const { path, remove } = await writeTinyCheckpoint(options);
  removals.push(remove);
  return path;
}

async function logitsOf(model: LanguageModel): Promise<Float32Array> {
  const ids = model.tokens([[5, 9, 2, 40, 7, 7, 31]]);
  const hidden = model.hiddenStates(ids).reshape([ids.size, model.config.hiddenSize]);
  return model.logits(hidden).read();
}

async function logitsAt(path: string): Promise<Float32Array> {
  const model = await load(path);
  const logits = await logitsOf(model);
  model.release();
  return logits;
}

test("an output head of its own goes into what is made, unused tensors do not", async () => {
  const original = await tiny({
    modelCase: "llama-tied-multi-head",
    extra: { "lm_head.weight": [72, 32], "v_head.weight": [1, 32] },
  });
  const [packed, plain] = [inFolder("packed"), inFolder("plain")];
  const run = quantize(original, { method: "rtn", scheme: "w8", ...keptTables, out: packed });
  const notices: string[] = [];
  for await (const event of run.events) if (event.type === "notice") notices.push(event.message);
  expect(notices.filter((notice) => notice.includes("lm_head.weight"))).toHaveLength(1);
  expect(notices.filter((notice) => notice.includes("v_head.weight"))).toHaveLength(1);
  await exportCheckpoint(packed, { format: "hf", out: plain });
  for (const path of [packed, plain]) {
    const { tensors, notices: later, config } = await inspect(path);
    const names = tensors.map(({ name }) => name);
    expect(names).toContain("lm_head.weight");
    expect(names).not.toContain("v_head.weight");
    expect(later).toEqual([]);
    expect(config?.tiedEmbeddings).toBe(false);
    expect(JSON.parse(readFileSync(join(path, "config.json"), "utf8"))).toMatchObject({
      tie_word_embeddings: false,
    });
  }
  const [left, right] = [await logitsAt(plain), await logitsAt(packed)];
  for (const [index, value] of left.entries()) expect(value).toBeCloseTo(right[index], 3);
});

test("a base model's names are those of a causal language model in what is made", async () => {
  const rename = (name: string): string => name.replace(/^model\./, "");
  const original = await tiny({ modelCase: "llama-tied-multi-head", rename });
  const known = await tiny({ modelCase: "llama-tied-multi-head" });
  expect(await logitsAt(original)).toEqual(await logitsAt(known));
  const [packed, expected] = [inFolder("base"), inFolder("known")];
  const rtn = { method: "rtn", scheme: "w4g16", ...keptTables } as const;
  await quantize(original, { ...rtn, out: packed });
  await quantize(known, { ...rtn, out: expected });
  const namesOf = async (path: string): Promise<string[]> =>
    (await inspect(path)).tensors.map(({ name }) => name).sort();
  expect(await namesOf(packed)).toEqual(await namesOf(expected));
  expect(await logitsAt(packed)).toEqual(await logitsAt(expected));
});
