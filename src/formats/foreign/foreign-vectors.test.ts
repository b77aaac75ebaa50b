import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  awqGemm,
  compressedInts,
  compressedPacked,
  efficientQat,
  gptqOrdered,
  type StoredValues,
  type Vector,
  writeVector,
} from "../../../test/fixtures/foreign-vectors.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { exportCheckpoint } from "../../quantize/export-checkpoint.ts";
import { openAnyCheckpoint } from "../../runtime/open-checkpoint.ts";
import { FormatError } from "../../util/errors.ts";
import { CheckpointWeights } from "../checkpoint-weights.ts";

const backend = createReferenceBackend();
let path = "";
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "fewbit-vector-"));
});
afterEach(() => rm(path, { recursive: true }));

async function read({ module }: Vector, decoded: boolean) {
  const checkpoint = await openAnyCheckpoint(path, { decoded });
  const weight = await new CheckpointWeights(backend, checkpoint, "stored").matrix(module);
  const scheme = weight instanceof QTensor ? weight.scheme.id : null;
  const stored = weight instanceof QTensor ? weight.dequantize() : await weight.read();
  // Zeros have no sign here.
  const values = Float32Array.from(stored as Float32Array, (value) => value + 0);
  const { notices } = checkpoint;
  await checkpoint.close();
  return { scheme, values, notices };
}

test.each<readonly [what: string, vector: Vector, scheme: string | null]>([
  ["EfficientQAT's 2 bits", efficientQat(2), "w2g32"],
  ["EfficientQAT's 3 bits, ten codes a word", efficientQat(3), "w3g32"],
  ["EfficientQAT's 4 bits", efficientQat(4), "w4g32"],
  ["compressed-tensors' padded 3 bits", compressedPacked(3), "w3g32"],
  ["compressed-tensors' stream of 3 bits", compressedPacked(3, { layout: "streamed" }), "w3g32"],
  ["compressed-tensors' padded 6 bits", compressedPacked(6), "w8g32"],
  ["weight_g_idx that says nothing", compressedPacked(4, { order: "unset" }), "w4g32"],
  ["weight_g_idx", compressedPacked(4, { order: "own" }), null],
  ["weight_g_idx of padded 3 bits", compressedPacked(3, { order: "own" }), null],
  ["zero points of int8, one a row", compressedInts("channel"), "w8"],
  ["zero points of int8, in groups", compressedInts("group"), "w8g32"],
  ["desc_act of GPTQ", gptqOrdered(), null],
  ["AWQ", awqGemm(), "w4g32"],
])("%s: codes, scales and zero points are what plain loops say", async (_, vector, scheme) => {
  await writeVector(path, vector);
  const asItIs = await read(vector, false);
  expect(asItIs.scheme).toBe(scheme);
  expect(asItIs.values).toEqual(vector.values);
  expect(asItIs.notices.join()).toMatch(scheme ? /^$/ : /no scheme holds 1 of 1 packed weights/);
  expect((await read(vector, true)).values).toEqual(vector.values);
});

test("compressed-tensors' settings are read by their older name, too", async () => {
  const { quantization_config: settings, ...config } = packed.config;
  await writeVector(path, { ...packed, config: { ...config, compression_config: settings } });
  expect((await read(packed, false)).values).toEqual(packed.values);
});

/** Expects a FormatError, by whatever path the checkpoint is opened, and no trace of an output. */
async function expectRefused(reason: RegExp): Promise<void> {
  const out = join(path, "out");
  const before = await readdir(path);
  const opened = openAnyCheckpoint(path);
  await expect(opened).rejects.toThrow(FormatError);
  await expect(opened).rejects.toThrow(reason);
  const asked = { format: "hf", out } as const;
  const exported = exportCheckpoint({ directory: path, backend }, asked);
  await expect(exported).rejects.toThrow(reason);
  expect(await readdir(path)).toEqual(before);
}

const nameOf = (part: string): string => `model.layers.0.mlp.up_proj.${part}`;

function withTensor(
  vector: Vector,
  part: string,
  change: (tensor: StoredValues) => StoredValues | null,
): Vector {
  const tensors = { ...vector.tensors };
  const changed = change(tensors[nameOf(part)]);
  delete tensors[nameOf(part)];
  return { ...vector, tensors: changed ? { ...tensors, [nameOf(part)]: changed } : tensors };
}

const without = (vector: Vector, part: string) => withTensor(vector, part, () => null);
const ofDType = (vector: Vector, part: string, dtype: StoredValues["dtype"]) =>
  withTensor(vector, part, ({ shape }) => ({
    dtype,
    shape,
    data: new Uint8Array(shape.reduce((a, b) => a * b) * bytesOf[dtype]),
  }));
const bytesOf: Readonly<Record<string, number>> = { i8: 1, i16: 2, i32: 4, i64: 8, f16: 2, f32: 4 };
const withGroup = (vector: Vector, part: string, column: number, group: number) =>
  withTensor(vector, part, (tensor) => {
    const data = Int32Array.from(tensor.data as Int32Array);
    data[column] = group;
    return { ...tensor, data };
  });

const gIdxOf = (columns: number): StoredValues => ({
  dtype: "i32",
  shape: [columns],
  data: new Int32Array(columns),
});

type Settings = Record<string, unknown>;

const withSettings = (vector: Vector, fields: Settings): Vector => {
  const settings = { ...(vector.config.quantization_config as Settings), ...fields };
  return { ...vector, config: { ...vector.config, quantization_config: settings } };
};
const withWeights = (vector: Vector, fields: Settings): Vector => {
  const { config_groups: groups } = vector.config.quantization_config as {
    config_groups: { group: { weights: Settings } };
  };
  const group = { ...groups.group, weights: { ...groups.group.weights, ...fields } };
  return withSettings(vector, { config_groups: { group } });
};

const [gptq, packed, ints] = [gptqOrdered(), compressedPacked(3), compressedInts("group")];
const awq = awqGemm();
const ordered = compressedPacked(4, { order: "own" });

test.each<readonly [what: string, vector: Vector, reason: RegExp]>([
  ["g_idx is missing", without(gptq, "g_idx"), /up_proj\.g_idx" is missing, and `desc_act`/],
  [
    "g_idx is too high",
    withGroup(gptq, "g_idx", 5, 2),
    /up_proj\.g_idx": column 5 .* group 2 of 2/,
  ],
  [
    "g_idx is below 0",
    withGroup(gptq, "g_idx", 7, -1),
    /up_proj\.g_idx": column 7 .* group -1 of 2/,
  ],
  ["g_idx of int64", ofDType(gptq, "g_idx", "i64"), /up_proj\.g_idx": expected i32, .* i64/],
  ["qweight of floats", ofDType(gptq, "qweight", "f32"), /up_proj\.qweight": expected i32, .* f32/],
  ["qzeros of int16", ofDType(gptq, "qzeros", "i16"), /up_proj\.qzeros": expected i32, .* i16/],
  ["scales of integers", ofDType(gptq, "scales", "i32"), /up_proj\.scales": expected f16 .* i32/],
  ["no scales", without(gptq, "scales"), /up_proj\.scales/],
  ["other bits", withSettings(gptq, { bits: 8 }), /up_proj\.qweight": .*8 bits/],
  ["other groups", withSettings(gptq, { group_size: 16 }), /up_proj\.scales": expected the shape/],
  ["no bits", withSettings(gptq, { bits: undefined }), /quantization_config: bits: is missing/],
  [
    "two configurations",
    { ...gptq, files: { "quantize_config.json": { bits: 3, group_size: 32 } } },
    /`bits` is 4 in quantization_config of config\.json, 3 in quantize_config\.json/,
  ],
  [
    "EfficientQAT's g_idx is missing",
    without(efficientQat(), "g_idx"),
    /up_proj\.g_idx" is missing, and no `quantization_config`/,
  ],
  [
    "EfficientQAT's g_idx of another length",
    withTensor(efficientQat(), "g_idx", () => gIdxOf(96)),
    /up_proj\.qweight": 7 rows of words .* 96 codes/,
  ],
  [
    "EfficientQAT's zero points of other bits",
    withTensor(efficientQat(), "qzeros", () => efficientQat(8).tensors[nameOf("qzeros")]),
    /up_proj\.qzeros": expected/,
  ],
  [
    "weight_g_idx is too high",
    withGroup(ordered, "weight_g_idx", 9, 2),
    /up_proj\.weight_g_idx": column 9 .* group 2 of 2/,
  ],
  [
    "weight_g_idx is unset in part",
    withGroup(ordered, "weight_g_idx", 9, -1),
    /up_proj\.weight_g_idx": column 9 .* group -1 of 2/,
  ],
  [
    "weight_packed of int64",
    ofDType(packed, "weight_packed", "i64"),
    /weight_packed": expected i32/,
  ],
  ["weight_scale of int8", ofDType(packed, "weight_scale", "i8"), /weight_scale": expected f16/],
  ["weight_zero_point is missing", without(packed, "weight_zero_point"), /weight_zero_point/],
  [
    "weight_zero_point of int8",
    ofDType(packed, "weight_zero_point", "i8"),
    /zero_point": expected i32/,
  ],
  ["AWQ: qweight of int64", ofDType(awq, "qweight", "i64"), /up_proj\.qweight": expected i32/],
  ["AWQ: no qzeros", without(awq, "qzeros"), /up_proj\.qzeros/],
  ["AWQ: other groups", withSettings(awq, { group_size: 48 }), /up_proj\.qweight": .*`group_size`/],
  [
    "AWQ: two configurations",
    { ...awq, files: { "quant_config.json": { w_bit: 4, q_group_size: 64 } } },
    /`group_size` is 32 in quantization_config of config\.json, 64 in quant_config\.json/,
  ],
  [
    "AWQ: no configuration",
    { ...awq, config: { model_type: "llama" } },
    /up_proj\.g_idx" is missing, and no `quantization_config` says/,
  ],
  ["weight_shape is missing", without(packed, "weight_shape"), /weight_shape/],
  [
    "another weight_shape",
    withTensor(packed, "weight_shape", (was) => ({ ...was, data: BigInt64Array.of(31n, 64n) })),
    /weight_shape": \[31, 64\] is not the shape of/,
  ],
  ["other num_bits", withWeights(packed, { num_bits: 8 }), /weight_packed": .*`num_bits`/],
  [
    "another group_size",
    withWeights(packed, { group_size: 48 }),
    /`group_size` 48 does not divide/,
  ],
  ["zero points of float16", ofDType(ints, "weight_zero_point", "f16"), /zero_point": expected i8/],
  ["integers that are too wide", withWeights(ints, { num_bits: 4 }), /up_proj\.weight.*`num_bits`/],
])("%s: refused by name, and nothing is written", async (_, vector, reason) => {
  await writeVector(path, vector);
  await expectRefused(reason);
});

test.each([
  [gptq, "scales"],
  [packed, "weight_zero_point"],
  [ints, "weight_scale"],
])("half a download: the shard that is missing is named", async (vector, part) => {
  await writeVector(path, vector);
  const [first, second] = [1, 2].map((each) => `model-0000${each}-of-00002.safetensors`);
  await rename(join(path, "model.safetensors"), join(path, first));
  const places = Object.keys(vector.tensors).map((name) => [
    name,
    name === nameOf(part) ? second : first,
  ]);
  const index = { metadata: {}, weight_map: Object.fromEntries(places) };
  await writeFile(join(path, "model.safetensors.index.json"), JSON.stringify(index));
  await expectRefused(/model-00002-of-00002\.safetensors/);
});
