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

const inWeights = (fields: JsonRecord) => (config: JsonRecord) => {
  const quantization = structuredClone(config.quantization_config) as JsonRecord;
  for (const group of Object.values(quantization.config_groups as JsonRecord)) {
    Object.assign((group as JsonRecord).weights as JsonRecord, fields);
  }
  return { ...config, quantization_config: quantization };
};

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
  [
    "hqq-4",
    same,
    [["4bit_u8", "2bit_u8"]],
    /\.nbits": `nbits` is 4, but `packing` has 2 bits a code/,
  ],
  [
    "bitnet-online",
    inConfig({ modules_to_not_convert: 4 }),
    [],
    /`modules_to_not_convert` is 4, expected names/,
  ],
  [
    "fp8-block",
    inConfig({ weight_block_size: ["128", "128"] }),
    [],
    /`weight_block_size` is \["128","128"\], expected two sizes/,
  ],
  [
    "ct-4-zeros",
    inWeights({ symmetric: true }),
    [],
    /weight_zero_point": there is the zero point -?\d+, and `symmetric` is true/,
  ],
  [
    "ct-4-zeros",
    inWeights({ actorder: "group" }),
    [],
    /weight_g_idx" is missing, and `actorder` says that columns are in its groups/,
  ],
  [
    "gptq-dynamic",
    (config: JsonRecord) => ({ ...config, quantization_config: "gptq" }),
    [],
    /expected an object/,
  ],
] as const)("%s with a fault is refused by name", async (name, change, rename, reason) => {
  await expect(openChanged(name, change, rename)).rejects.toThrow(reason);
});
