import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openAnyCheckpoint } from "../../runtime/open-checkpoint.ts";
import type { JsonRecord } from "../../util/json.ts";

const golden = new URL("../../../test/golden/checkpoints/", import.meta.url).pathname;

/** A checkpoint of another program with a changed configuration, and with tensors renamed. */
async function openChanged(
  name: string,
  change: (config: JsonRecord) => JsonRecord,
  rename: readonly (readonly [from: string, to: string])[] = [],
): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), "fewbit-foreign-"));
  try {
    await cp(join(golden, name), path, { recursive: true });
    const config = JSON.parse(await readFile(join(path, "config.json"), "utf8")) as JsonRecord;
    await writeFile(join(path, "config.json"), JSON.stringify(change(config)));
    const file = join(path, "model.safetensors");
    let bytes = (await readFile(file)).toString("latin1");
    for (const [from, to] of rename) bytes = bytes.replace(from, to.padEnd(from.length, " "));
    await writeFile(file, bytes, "latin1");
    const opened = await openAnyCheckpoint(path);
    await opened.close();
  } finally {
    await rm(path, { recursive: true });
  }
}

const inQuantization = (fields: JsonRecord) => (config: JsonRecord) => {
  const quantization = { ...(config.quantization as JsonRecord), ...fields };
  return { ...config, quantization, quantization_config: quantization };
};
const inConfig = (fields: JsonRecord) => (config: JsonRecord) => ({
  ...config,
  quantization_config: { ...(config.quantization_config as JsonRecord), ...fields },
});

test.each([
  [{ bits: 7 }, /`bits` is 7, expected 1, 2, 3/],
  [{ group_size: 48 }, /`group_size` is 48, expected 32, 64, 128/],
  [{ group_size: 32 }, /\.scales.*: expected the shape \[64, 4\], the file has \[64, 2\]/],
  [{ mode: "mxfp4" }, /`mode` "mxfp4" is not read/],
  [{ "model.embed_tokens": false }, /"model\.embed_tokens" is not quantized, but there is/],
])("MLX: %j is refused", async (fields, reason) => {
  await expect(openChanged("mlx-f16", inQuantization(fields))).rejects.toThrow(reason);
});

test("MLX: two configurations that differ are refused", async () => {
  const change = (config: JsonRecord) => ({
    ...config,
    quantization_config: { group_size: 64, bits: 8 },
  });
  await expect(openChanged("mlx-f16", change)).rejects.toThrow(
    /`bits` is 4 in quantization, 8 in quantization_config/,
  );
});

const same = (config: JsonRecord): JsonRecord => config;

test.each([
  ["mlx-f16", same, [["lm_head.biases", "lm_head.biasez"]], /no tensor "lm_head\.biases"/],
  [
    "bnb-nf4",
    same,
    [["q_proj.weight.absmax", "q_proj.weight.absmaz"]],
    /no tensor .*q_proj\.weight\.absmax/,
  ],
  [
    "bnb-nf4",
    same,
    [['"blocksize": 64', '"blocksize": -4']],
    /expected `shape` of two sizes and `blocksize`/,
  ],
  [
    "fp8-block",
    inConfig({ weight_block_size: [64, 64] }),
    [],
    /weight_scale_inv.*: expected \[\d, \d\], one a block of 64 × 64/,
  ],
  [
    "fp8-channel",
    same,
    [["q_proj.weight_scale", "q_proj.weight_scalf"]],
    /q_proj\.weight" has no scale/,
  ],
  ["bitnet", inConfig({ use_rms_norm: true }), [], /`use_rms_norm` true is not read/],
  ["hqq-4", same, [["q_proj.zero", "q_proj.zerp"]], /no tensor .*q_proj\.zero/],
] as const)("%s with a fault is refused by name", async (name, change, rename, reason) => {
  await expect(openChanged(name, change, rename)).rejects.toThrow(reason);
});
