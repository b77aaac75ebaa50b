import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { openGgufFile } from "../../src/formats/gguf/gguf-file.ts";
import { decodeTable } from "../../src/formats/gguf/tables/index.ts";
import { readQTensor } from "../../src/formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import { readFloatTensor } from "../../src/formats/read-float-tensor.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { blockFormats } from "../../src/quant/blocks/index.ts";
import { openAnyCheckpoint } from "../../src/runtime/open-checkpoint.ts";
import { type OpenedModel, openModel } from "../../src/runtime/load.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Prng } from "../../src/util/prng.ts";
import { type PackRows, writeGgufOf } from "../fixtures/gguf-of-checkpoint.ts";
import { ggufBytes, meta, type TestTensor } from "../fixtures/gguf-bytes.ts";
import { idTensor, readModelCase } from "../golden/model-cases.ts";
import { type TinyCheckpointOptions, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";

const backend = createReferenceBackend();

let folder = "";
const cleanups: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-gguf-model-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Written {
  readonly directory: string;
  readonly gguf: string;
}

async function write(
  options: TinyCheckpointOptions,
  more: Parameters<typeof writeGgufOf>[2] = {},
): Promise<Written> {
  const { path, remove } = await writeTinyCheckpoint({ ...options, fitting: true });
  cleanups.push(remove);
  const gguf = join(folder, "tiny.gguf");
  const checkpoint = await openCheckpoint(path);
  try {
    await writeGgufOf(checkpoint, gguf, more);
  } finally {
    await checkpoint.close();
  }
  return { directory: path, gguf };
}

/** States of all blocks, and the model's configuration. */
async function run(
  path: string,
  ids: readonly (readonly number[])[],
): Promise<[Float32Array, OpenedModel["config"]]> {
  const { model, config, checkpoint } = await openModel(path, { backend, precision: "float32" });
  try {
    let states: Tensor<"f32"> = model.embed(idTensor(backend, ids));
    for (let index = 0; index < model.blockCount; index++) {
      const block = await model.loadBlock(index);
      states = model.forwardBlock(block, states, { position: 0 }) ?? states;
      model.releaseBlock(block);
    }
    return [await states.read(), config];
  } finally {
    await checkpoint.close();
  }
}

describe("a GGUF file computes what the checkpoint it was made from does", () => {
  test.each<[string, Record<string, unknown>]>([
    ["llama-biases", {}],
    ["llama-tied-multi-head", {}],
    ["llama-one-key-head", {}],
    ["llama-linear-rope", {}],
    ["llama-yarn-rope", {}],
    ["llama-llama3-rope", {}],
    ["mistral-window", {}],
    ["mistral-layer-types", {}],
    ["qwen2-tied", { use_sliding_window: false }],
    ["qwen2-layer-types", {}],
    ["qwen3", {}],
    ["qwen3-biases-window", {}],
    ["smollm3-no-rope-layers", { no_rope_layers: null, num_hidden_layers: 4 }],
    ["mixtral", {}],
    ["mixtral-window", {}],
    ["qwen2-moe", {}],
    ["qwen2-moe", { qkv_bias: false }],
    ["qwen3-moe-every", {}],
    ["olmoe", {}],
  ])("%s %j", async (modelCase, config) => {
    const { directory, gguf } = await write({ modelCase, config });
    const { ids } = readModelCase(modelCase);
    const [expected, configured] = await run(directory, ids);
    const [states, read] = await run(gguf, ids);
    expect(read).toEqual(configured);
    expect(states).toEqual(expected);
  });
});

describe("experts are read from every layout of files", () => {
  test.each(["joined", "single"] as const)("%s", async (experts) => {
    const { directory, gguf } = await write({ modelCase: "mixtral" }, { experts });
    const { ids } = readModelCase("mixtral");
    const [expected, configured] = await run(directory, ids);
    const [states, read] = await run(gguf, ids);
    expect(read).toEqual(configured);
    expect(states).toEqual(expected);
  });

  test("packed stacks stay packed, a module for each layer of each expert", async () => {
    const config = { hidden_size: 32, intermediate_size: 32 };
    const pack: PackRows = (name, [rows, columns], values) => {
      if (!name.includes("experts")) return null;
      // One code a row: what it decodes to tells the row.
      const data = new Uint8Array((rows * columns * 18) / 32);
      for (let row = 0; row < rows; row++) {
        data.set([0x00, 0x3c], row * 18);
        data.fill(
          17 * (Math.abs(Math.round(100 * values[row * columns])) % 16),
          row * 18 + 2,
          row * 18 + 18,
        );
      }
      return { type: "q4_0", data };
    };
    const { gguf } = await write({ modelCase: "mixtral", config }, { pack });
    const values = await unpacked(gguf);
    expect(values.size).toBe(2 * 4 * 3);
    const decoded = await openAnyCheckpoint(gguf, { decoded: true });
    expect(decoded.notices).toEqual([expect.stringContaining("q4_0 (6 tensors)")]);
    for (const [module, expected] of values) {
      expect((await readFloatTensor(decoded, `${module}.weight`)).values).toEqual(expected);
    }
    await decoded.close();
    const single = await write({ modelCase: "mixtral", config }, { pack, experts: "single" });
    expect(await unpacked(single.gguf)).toEqual(values);
    expect(new Set([...values.values()].map(String)).size).toBeGreaterThan(20);
  });

  test.each([
    [{ "llama.expert_count": meta.u32(3) }, /is no stack of 3 experts/],
    [
      { "llama.expert_count": meta.u32(4_000_000_000) },
      /4000000000 experts, expected at most 10000/,
    ],
    [{ "llama.expert_used_count": meta.u32(5) }, /num_experts_per_tok is 5/],
    [{ "llama.expert_count": meta.u32(0) }, /the checkpoint has no tensor/],
  ])("%j is refused before any work", async (metadata, message) => {
    const { gguf } = await write({ modelCase: "mixtral" }, { metadata });
    await expect(openModel(gguf, { backend })).rejects.toThrow(message);
  });

  test("an architecture whose experts are not known is refused", async () => {
    const metadata = { "qwen2.expert_count": meta.u32(8) };
    const { gguf } = await write({ modelCase: "qwen2-tied" }, { metadata });
    await expect(openModel(gguf, { backend })).rejects.toThrow(/8 experts .* architecture "qwen2"/);
    const none = { "olmoe.expert_count": meta.u32(0) };
    const dense = await write({ modelCase: "olmoe" }, { metadata: none });
    await expect(openModel(dense.gguf, { backend })).rejects.toThrow(/metadata counts none/);
  });
});

/** Values of the packed weights of a file, by their modules. */
async function unpacked(path: string): Promise<Map<string, Float32Array>> {
  const checkpoint = await openAnyCheckpoint(path);
  const values = new Map<string, Float32Array>();
  for (const [module, stored] of readQuantizationConfig(checkpoint.config)?.modules ?? []) {
    values.set(module, (await readQTensor(checkpoint, module, stored)).dequantize());
  }
  await checkpoint.close();
  return values;
}

/** Writes a file again as two parts; returns the path of the second. */
async function split(gguf: string): Promise<string> {
  const file = await openGgufFile(gguf);
  const all: TestTensor[] = [];
  for (const { name, type, shape, begin, end } of file.tensors.values()) {
    const data = new Uint8Array(end - begin);
    await file.readInto(name, data, 0);
    all.push({ name, type: type.name, shape, data });
  }
  await file.close();
  const half = Math.floor(all.length / 2);
  for (const [no, tensors] of [all.slice(0, half), all.slice(half)].entries()) {
    const metadata = {
      ...(no === 0 && Object.fromEntries(file.metadata.entries)),
      "split.no": { type: "u16", value: no } as const,
      "split.count": { type: "u16", value: 2 } as const,
      "split.tensors.count": { type: "i32", value: all.length } as const,
    };
    writeFileSync(join(folder, `s-0000${no + 1}-of-00002.gguf`), ggufBytes({ metadata, tensors }));
  }
  return join(folder, "s-00002-of-00002.gguf");
}

test("a split file computes what the whole one does, whichever part is named", async () => {
  const { gguf } = await write({ modelCase: "llama-biases" });
  const { ids } = readModelCase("llama-biases");
  const second = await split(gguf);
  const [expected] = await run(gguf, ids);
  expect((await run(second, ids))[0]).toEqual(expected);
  const checkpoint = await openAnyCheckpoint(second);
  expect(checkpoint.weightFiles.map(({ path }) => path)).toEqual([
    join(folder, "s-00001-of-00002.gguf"),
    second,
  ]);
  await checkpoint.close();
});

/** Blocks of random bytes whose float16 scales are finite, for rows of whole blocks. */
function randomBlocks(type: string, seed: number): PackRows {
  const prng = new Prng(seed);
  const format = blockFormats.find(({ id }) => id === type);
  if (!format) throw new Error(`no format ${type}`);
  return (name, shape) => {
    const [rows, columns] = shape;
    if (!name.endsWith("proj.weight") || columns % format.columns !== 0) return null;
    const data = new Uint8Array((rows * columns * format.bytes) / format.columns);
    for (let i = 0; i < data.length; i++) data[i] = prng.uint32() & 0xff;
    for (let at = 0; at < data.length; at += format.bytes) {
      for (const half of [format.scaleAt, format.offsetAt]) {
        if (half !== null) data[at + half + 1] &= 0x3f;
      }
    }
    return { type, data };
  };
}

describe.each(blockFormats.map(({ id }) => id))("weights in blocks of %s", (type) => {
  const format = blockFormats.find(({ id }) => id === type);
  const width = format?.columns ?? 32;
  const config = {
    hidden_size: width,
    intermediate_size: width,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: width / 2,
  };

  test("stay as they are, rows in the checkpoint's order, and decode to what the original view has", async () => {
    const { gguf } = await write({ modelCase: "llama", config }, { pack: randomBlocks(type, 7) });
    const packed = await openAnyCheckpoint(gguf);
    const decoded = await openAnyCheckpoint(gguf, { decoded: true });
    try {
      const modules = readQuantizationConfig(packed.config)?.modules ?? new Map();
      expect(modules.size).toBe(14);
      expect(readQuantizationConfig(decoded.config)).toBeNull();
      expect(decoded.notices).toEqual([
        expect.stringMatching(`quantized already \\(${type} \\(14`),
      ]);
      for (const [module, stored] of modules) {
        expect(packed.has(`${module}.weight`)).toBe(false);
        const weight = await readQTensor(packed, module, stored);
        const values = weight.dequantize();
        expect((await readFloatTensor(decoded, `${module}.weight`)).values).toEqual(values);
        // Ranges that begin and end within rows.
        const bytes = new Uint8Array(values.buffer);
        for (const [from, to] of [
          [4, 12],
          [4 * width - 8, 4 * width + 8],
          [bytes.length - 4, bytes.length],
        ]) {
          const part = new Uint8Array(to - from);
          await decoded.readInto(`${module}.weight`, part, from);
          expect(part).toEqual(bytes.slice(from, to));
          const blocks = weight.parts.blocks ?? new Uint8Array();
          const some = new Uint8Array(Math.min(5, blocks.length - 3));
          await packed.readInto(`${module}.blocks`, some, 3);
          expect(some).toEqual(blocks.slice(3, 3 + some.length));
        }
      }
    } finally {
      await packed.close();
      await decoded.close();
    }
  });
});

test("rows of packed queries lie where those of float ones do", async () => {
  const config = { hidden_size: 32, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 16 };
  // Codes of row r are all r % 16, with scale 1: the weight is r % 16 − 8.
  const pack: PackRows = (name, [rows, columns], values) => {
    if (!name.endsWith("q_proj.weight")) return null;
    const data = new Uint8Array(rows * 18);
    for (let row = 0; row < rows; row++) {
      const code = Math.round(values[row * columns]) + 8;
      data.set([0x00, 0x3c], row * 18);
      data.fill(code * 17, row * 18 + 2, row * 18 + 18);
    }
    return { type: "q4_0", data };
  };
  const edit = (name: string, values: Float32Array): void => {
    if (!name.endsWith("q_proj.weight")) return;
    for (let i = 0; i < values.length; i++) values[i] = (Math.floor(i / 32) % 16) - 8;
  };
  const { directory, gguf } = await write({ modelCase: "llama", config, edit }, { pack });
  const original = await openCheckpoint(directory);
  const decoded = await openAnyCheckpoint(gguf, { decoded: true });
  const name = "model.layers.1.self_attn.q_proj.weight";
  expect((await readFloatTensor(decoded, name)).values).toEqual(
    (await readFloatTensor(original, name)).values,
  );
  await original.close();
  await decoded.close();
});

test.each([
  ["iq4_nl", 18],
  ["mxfp4", 17],
])(
  "weights of the table type %s are decoded when they are read, with a notice of the cost",
  async (type, size) => {
    const config = {
      hidden_size: 32,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      head_dim: 16,
    };
    const blocks = new Map<string, Uint8Array>();
    const pack: PackRows = (name, [rows, columns]) => {
      if (columns % 32 !== 0 || !name.endsWith("proj.weight")) return null;
      const data = Uint8Array.from(
        { length: (rows * columns * size) / 32 },
        (_, i) => (i * 41) % 60,
      );
      blocks.set(name, data);
      return { type, data };
    };
    const { gguf } = await write({ modelCase: "llama", config }, { pack });
    const checkpoint = await openAnyCheckpoint(gguf);
    try {
      expect(readQuantizationConfig(checkpoint.config)).toBeNull();
      expect(checkpoint.notices).toEqual([
        expect.stringMatching(
          new RegExp(`^weights of the types ${type} \\(12 tensors\\) are decoded .* kB in memory`),
        ),
      ]);
      for (const [name, data] of blocks) {
        const info = checkpoint.info(name);
        expect(info).toMatchObject({ dtype: "f32", stored: { type, bytes: data.length } });
        const decoded = new Float32Array((data.length / size) * 32);
        decodeTable(type)?.(data, 0, data.length / size, decoded, 0);
        const [rows, columns] = info.shape;
        const heads = name.includes("q_proj") ? 2 : name.includes("k_proj") ? 1 : null;
        const { values } = await readFloatTensor(checkpoint, name);
        for (let row = 0; row < rows; row++) {
          // Row 2i + p of a head in the file is its row p · D/2 + i.
          const [head, within] = [Math.floor(row / 16), row % 16];
          const from = heads === null ? row : 16 * head + 2 * (within % 8) + Math.floor(within / 8);
          const expected = decoded.subarray(from * columns, (from + 1) * columns);
          expect(values.subarray(row * columns, (row + 1) * columns)).toEqual(expected);
        }
      }
    } finally {
      await checkpoint.close();
    }
  },
);

describe("what cannot be read is refused", () => {
  test.each([
    [{ "general.architecture": meta.string("mamba") }, /architecture "mamba" are not supported/],
    [{ "general.type": meta.string("adapter") }, /holds no model, its general\.type is "adapter"/],
    [{ "llama.expert_count": meta.u32(8) }, /no "llama.expert_used_count"/],
    [{ "llama.attention.value_length": meta.u32(4) }, /keys have 8 channels and values 4/],
    [{ "llama.rope.scaling.type": meta.string("longrope") }, /type "longrope" are not supported/],
    [{ "llama.rope.dimension_count": meta.u32(4) }, /partial_rotary_factor 0\.5/],
    [
      { "llama.attention.head_count": meta.i32s([4, 4]) },
      /expected a number, the file has an array/,
    ],
    [{ "llama.attention.head_count": meta.u32(6) }, /does not consist of 6 heads/],
  ])("%j", async (metadata, message) => {
    const { gguf } = await write({ modelCase: "llama" }, { metadata });
    await expect(openModel(gguf, { backend })).rejects.toThrow(message);
  });

  test("a file that is not there, with the nearest name", async () => {
    await write({ modelCase: "llama" });
    const opening = openModel(join(folder, "tyni.gguf"), { backend });
    await expect(opening).rejects.toMatchObject({
      message: expect.stringContaining("there is no file"),
      hint: expect.stringContaining("tiny.gguf"),
    });
  });
});
