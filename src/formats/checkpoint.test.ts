import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  FewbitError,
  FormatError,
  NumericError,
  UnsupportedError,
  UsageError,
} from "../util/errors.ts";
import { halfBitsToFloat } from "../util/half.ts";
import type { DType } from "../tensor/dtype.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { CheckpointWriter, planShards } from "./checkpoint-writer.ts";
import { countNonFinite, readFloatTensor } from "./read-float-tensor.ts";
import type { TensorEntry } from "./safetensors.ts";
import { SafetensorsWriter } from "./safetensors-writer.ts";
import { copySidecarFiles, DirectoryFiles } from "./directory-files.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-checkpoint-"));
});
afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true });
});
const at = (...names: string[]): string => path.join(folder, ...names);

/** Five small tensors whose bytes count up. */
const entries: TensorEntry[] = [
  { name: "a", dtype: "f16", shape: [2, 4] },
  { name: "b", dtype: "f32", shape: [3] },
  { name: "c", dtype: "u8", shape: [5] },
  { name: "__proto__", dtype: "u8", shape: [1] },
  { name: "empty", dtype: "f32", shape: [0, 4] },
];

async function writeModel(maxShardBytes?: number): Promise<void> {
  await fs.writeFile(at("config.json"), '{"model_type":"test"}');
  const options = maxShardBytes === undefined ? {} : { maxShardBytes };
  const writer = await CheckpointWriter.create(folder, entries, options);
  await writer.write("c", Uint8Array.of(1, 2, 3, 4, 5));
  await writer.write(
    "a",
    Uint16Array.from({ length: 8 }, (_, i) => 0x3c00 + i),
  );
  await writer.write("b", Float32Array.of(1, 2, 3));
  await writer.write("__proto__", Uint8Array.of(9));
  await writer.finish();
}

async function failure(work: Promise<unknown>): Promise<FewbitError> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(FewbitError);
  return error as FewbitError;
}

describe("planShards", () => {
  const of = (...sizes: number[]): TensorEntry[] =>
    sizes.map((size, i) => ({ name: `t${i}`, dtype: "u8", shape: [size] }));
  const plan = (maxBytes: number, ...sizes: number[]): string[][] =>
    planShards(of(...sizes), maxBytes).map((shard) => shard.entries.map((entry) => entry.name));

  test("fills shards in order up to the limit; a tensor above it stands alone", () => {
    expect(plan(10, 4, 6, 1, 20, 3)).toEqual([["t0", "t1"], ["t2"], ["t3"], ["t4"]]);
    expect(plan(10, 20)).toEqual([["t0"]]);
    expect(plan(10)).toEqual([[]]);
  });

  test("one shard is model.safetensors, several carry their number and count", () => {
    expect(planShards(of(1, 2), 10).map((shard) => shard.fileName)).toEqual(["model.safetensors"]);
    expect(planShards(of(6, 6), 10).map((shard) => shard.fileName)).toEqual([
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
    ]);
  });
});

describe("what is written is read", () => {
  for (const [how, maxShardBytes] of [
    ["in one file", undefined],
    ["in shards", 16],
  ] as const) {
    test(how, async () => {
      await writeModel(maxShardBytes);
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.config).toEqual({ model_type: "test" });
      expect([...checkpoint.tensors.keys()].sort()).toEqual(entries.map((e) => e.name).sort());
      expect(checkpoint.totalBytes).toBe(16 + 12 + 5 + 1);
      expect(await checkpoint.viewAs("c", "u8")).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
      expect((await checkpoint.viewAs("a", "f16")).subarray(4)).toEqual(
        Uint16Array.of(0x3c04, 0x3c05, 0x3c06, 0x3c07),
      );
      expect(await checkpoint.viewAs("b", "f32")).toEqual(Float32Array.of(1, 2, 3));
      expect(await checkpoint.viewAs("__proto__", "u8")).toEqual(Uint8Array.of(9));
      expect(await checkpoint.viewAs("empty", "f32")).toEqual(new Float32Array(0));
      expect(checkpoint.has("constructor")).toBe(false);
      expect(() => checkpoint.info("gone")).toThrow(/no tensor "gone"/);
      await checkpoint.close();
      const files = (await fs.readdir(folder)).filter((name) => name.endsWith(".safetensors"));
      expect(files.length).toBe(maxShardBytes === undefined ? 1 : 3);
    });
  }

  test("the index states the bytes of all tensors and where each is", async () => {
    await writeModel(16);
    const index = JSON.parse(await fs.readFile(at("model.safetensors.index.json"), "utf8"));
    expect(index.metadata).toEqual({ total_size: 34 });
    expect(index.weight_map.b).toBe("model-00002-of-00003.safetensors");
    expect(Object.keys(index.weight_map)).toEqual(entries.map((e) => e.name).sort());
  });

  test("a name declared twice, an undeclared one and missing data are refused", async () => {
    const twice = [...entries, { name: "a", dtype: "u8", shape: [99] } as const];
    const create = CheckpointWriter.create(folder, twice, { maxShardBytes: 16 });
    await expect(create).rejects.toThrow(UsageError);
    const writer = await CheckpointWriter.create(folder, entries);
    await expect(writer.write("x", new Uint8Array(1))).rejects.toThrow(/not declared/);
    await expect(writer.finish()).rejects.toThrow(/not written whole/);
    await writer.close();
  });
});

describe("what is wrong with a directory is said in one line", () => {
  test("a missing directory, with the nearest name or the Hub", async () => {
    await fs.mkdir(at("prose-6m"));
    const near = await failure(openCheckpoint(at("prose6m")));
    expect(near.message).toBe(`there is no folder ${at("prose6m")}`);
    expect(near.hint).toBe(`did you mean ${at("prose-6m")}?`);
    expect((await failure(openCheckpoint("meta-llama/Llama-9"))).hint).toMatch(
      /hf:meta-llama\/Llama-9/,
    );
    expect((await failure(openCheckpoint(at("quite-different")))).hint).toBe("check the path");
  });

  test("a file instead of a directory", async () => {
    await writeModel();
    const error = await failure(openCheckpoint(at("model.safetensors")));
    expect(error.hint).toBe(`name its folder: ${folder}`);
  });

  test("no config.json, or one that is not an object", async () => {
    expect((await failure(openCheckpoint(folder))).message).toMatch(/no config.json/);
    await fs.writeFile(at("params.json"), "{}");
    expect((await failure(openCheckpoint(folder))).hint).toMatch(/another form/);
    await fs.writeFile(at("adapter_config.json"), "{}");
    const adapter = await failure(openCheckpoint(folder));
    expect(adapter.message).toMatch(/is an adapter/);
    expect(adapter.hint).toMatch(/merge/);
    await fs.writeFile(at("config.json"), "[1]");
    expect((await failure(openCheckpoint(folder))).message).toMatch(/expected a JSON object/);
    await fs.writeFile(at("config.json"), "{");
    expect((await failure(openCheckpoint(folder))).message).toMatch(/config.json is not JSON/);
  });

  test("no weights, PyTorch weights, GGUF weights, an adapter", async () => {
    await fs.writeFile(at("config.json"), "{}");
    expect((await failure(openCheckpoint(folder))).message).toMatch(/has no weights/);
    await fs.writeFile(at("pytorch_model.bin"), "");
    const torch = await failure(openCheckpoint(folder));
    expect(torch.message).toMatch(/PyTorch weights \(pytorch_model.bin\), safetensors are needed/);
    expect(torch.hint).toMatch(/save_pretrained/);
    // Of two forms that are no safetensors, the one that can be opened is named.
    await fs.writeFile(at("m.gguf"), "");
    const gguf = await failure(openCheckpoint(folder));
    expect(gguf.message).toMatch(/holds its model as GGUF/);
    expect(gguf.hint).toBe(`name a file: ${at("m.gguf")}`);
    await fs.writeFile(at("adapter_model.safetensors"), "");
    expect((await failure(openCheckpoint(folder))).hint).toMatch(/adapter/);
  });

  test("truncated weights", async () => {
    await writeModel();
    const { size } = await fs.stat(at("model.safetensors"));
    await fs.truncate(at("model.safetensors"), size - 4);
    const error = await failure(openCheckpoint(folder));
    expect(error.message).toMatch(/model.safetensors is truncated: .* 34 bytes of data, .* 30/);
  });

  test("an index that names files elsewhere, missing shards or missing tensors", async () => {
    await writeModel(16);
    const text = await fs.readFile(at("model.safetensors.index.json"), "utf8");
    const use = async (edit: (map: Record<string, unknown>) => void): Promise<FewbitError> => {
      const index = JSON.parse(text);
      edit(index.weight_map);
      await fs.writeFile(at("model.safetensors.index.json"), JSON.stringify(index));
      const error = await failure(openCheckpoint(folder));
      expect(error).toBeInstanceOf(FormatError);
      return error;
    };
    const outside = [
      "../x.safetensors",
      "/etc/x.safetensors",
      "a\\x.safetensors",
      "x\u001b.safetensors",
      5,
      { toString: 1 },
    ];
    for (const name of outside) {
      const error = await use((map) => {
        map.a = name;
      });
      expect(error.message).toMatch(/in the same folder/);
    }
    const missing = await use((map) => {
      map.a = "model-00009-of-00003.safetensors";
    });
    expect(missing.hint).toMatch(/download model-00009-of-00003.safetensors/);
    const absent = await use((map) => {
      map.zz = "model-00001-of-00003.safetensors";
    });
    expect(absent.message).toMatch(/places "zz" in model-00001.*, which does not hold it/);
    await fs.writeFile(at("model.safetensors.index.json"), "{}");
    expect((await failure(openCheckpoint(folder))).message).toMatch(/no weight_map/);
  });
});

describe("readFloatTensor", () => {
  const write = async (entry: TensorEntry, data: ArrayBufferView): Promise<void> => {
    await fs.writeFile(at("config.json"), "{}");
    const writer = await SafetensorsWriter.create(at("model.safetensors"), [entry]);
    await writer.write(entry.name, data);
    await writer.finish();
  };
  const read = async (): Promise<Float32Array> => {
    const checkpoint = await openCheckpoint(folder);
    try {
      return (await readFloatTensor(checkpoint, "w")).values;
    } finally {
      await checkpoint.close();
    }
  };

  test("widens each float dtype exactly (f64 is rounded)", async () => {
    const cases = [
      ["f32", Float32Array.of(0.1, -2)],
      ["f16", Uint16Array.of(0x2e66, 0xc000)],
      ["bf16", Uint16Array.of(0x3dcd, 0xc000)],
      ["f64", Float64Array.of(0.1, -2)],
    ] as const;
    const expected = [Math.fround(0.1), halfBitsToFloat(0x2e66), 0.10009765625, Math.fround(0.1)];
    for (const [i, [dtype, data]] of cases.entries()) {
      await fs.rm(at("model.safetensors"), { force: true });
      await write({ name: "w", dtype, shape: [2, 1] }, data);
      expect([...(await read())]).toEqual([expected[i], -2]);
    }
  });

  test("agrees across the pieces that a large tensor is read in", async () => {
    const count = 2 * 1024 * 1024 + 3;
    const bits = Uint16Array.from({ length: count }, (_, i) => (i * 7919) % 0x7f80);
    await write({ name: "w", dtype: "bf16", shape: [count] }, bits);
    const values = await read();
    const words = new Uint32Array(values.buffer);
    expect(values.length).toBe(count);
    let wrong = 0;
    for (let i = 0; i < count; i++) if (words[i] !== (bits[i] ?? 0) << 16) wrong++;
    expect(wrong).toBe(0);
  });

  test("NaN and infinite values are named by tensor and count", async () => {
    const bits = new Uint16Array(10).fill(0x3c00);
    bits.set([0x7e00, 0xfe01, 0x7c00, 0xfc00, 0x7c01], 2);
    await write({ name: "w", dtype: "f16", shape: [10] }, bits);
    await expect(read()).rejects.toThrow(NumericError);
    await expect(read()).rejects.toThrow('tensor "w" has 3 NaN and 2 infinite among its 10 values');
    await fs.rm(at("model.safetensors"));
    await write({ name: "w", dtype: "f64", shape: [1] }, Float64Array.of(1e300));
    await expect(read()).rejects.toThrow('tensor "w" has 1 infinite among its 1 values');
  });

  test("a value that is not finite is found at any place of any length", () => {
    for (let length = 1; length <= 9; length++) {
      expect(countNonFinite(new Float32Array(length).fill(-3))).toEqual({ nans: 0, infinities: 0 });
      for (let i = 0; i < length; i++) {
        const values = new Float32Array(length).fill(3e38);
        values[i] = Number.NaN;
        expect(countNonFinite(values)).toEqual({ nans: 1, infinities: 0 });
        values[i] = Number.NEGATIVE_INFINITY;
        expect(countNonFinite(values)).toEqual({ nans: 0, infinities: 1 });
      }
    }
  });

  test("integers are not floats", async () => {
    await write({ name: "w", dtype: "i8", shape: [1] }, Int8Array.of(1));
    await expect(read()).rejects.toThrow(UnsupportedError);
    await expect(read()).rejects.toThrow(/got I8/);
  });
});

test("sidecar files are carried over, descriptions and weights are not", async () => {
  const kept = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
  ];
  kept.push("vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json");
  kept.push("chat_template.jinja");
  const left = [
    "README.md",
    "config.json",
    "model.safetensors",
    "pytorch_model.bin",
    "training_args.bin",
  ];
  for (const name of [...kept, ...left]) await fs.writeFile(at(name), name);
  await fs.mkdir(at("to"));
  const named = "additional_chat_templates/tool_use.jinja";
  await fs.mkdir(at("additional_chat_templates"));
  for (const name of [named, "additional_chat_templates/notes.txt"]) {
    await fs.writeFile(at(name), name);
  }
  expect(await copySidecarFiles(new DirectoryFiles(folder), at("to"))).toEqual([
    ...kept.sort(),
    named,
  ]);
  expect((await fs.readdir(at("to"))).sort()).toEqual(
    [...kept, "additional_chat_templates"].sort(),
  );
  expect(await fs.readdir(at("to", "additional_chat_templates"))).toEqual(["tool_use.jinja"]);
  expect(await fs.readFile(at("to", "merges.txt"), "utf8")).toBe("merges.txt");
});

const models = fileURLToPath(new URL("../../../shared/data/models/", import.meta.url));
describe.skipIf(!existsSync(models))("real models (skipped where ../shared/data is absent)", () => {
  const shapes = { stories260K: 260_032, "babyllama-tok105": 936_448, "prose-6m": 5_770_496 };
  for (const [name, parameters] of Object.entries(shapes)) {
    test(`${name} opens, has its ${parameters} parameters, and all are finite`, async () => {
      const checkpoint = await openCheckpoint(path.join(models, name));
      let count = 0;
      for (const tensor of checkpoint.tensors.keys()) {
        count += (await readFloatTensor(checkpoint, tensor)).values.length;
      }
      expect(count).toBe(parameters);
      expect(checkpoint.config.model_type).toBe("llama");
      await checkpoint.close();
    });
  }

  test("the sharded model holds the same bytes as the single file", async () => {
    const single = await openCheckpoint(path.join(models, "stories260K"));
    const sharded = await openCheckpoint(path.join(models, "stories260K-sharded"));
    expect([...sharded.tensors.keys()].sort()).toEqual([...single.tensors.keys()].sort());
    expect(sharded.totalBytes).toBe(520_064);
    for (const [name, { dtype }] of single.tensors) {
      const stored = dtype as DType;
      expect(await sharded.viewAs(name, stored), name).toEqual(await single.viewAs(name, stored));
    }
    await single.close();
    await sharded.close();
  });
});
