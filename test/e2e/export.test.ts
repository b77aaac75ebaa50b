import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { exportCheckpoint, type LanguageModel, load } from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";
import { besides, filesOf, killAt } from "./killed-runs.ts";
import { absent, quantizeLikeReference, shared, temporaryFolder } from "./shared-models.ts";

interface Config {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly vocab_size: number;
}

interface Header {
  [name: string]: { dtype: string; shape: number[]; data_offsets: [number, number] };
}

const model = "stories260K";
const inFolder = temporaryFolder();

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

/** Header of a safetensors file, read here without fewbit: its length in 8 bytes, then JSON. */
function readHeader(path: string): { header: Header; metadata: unknown; dataBytes: number } {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const { __metadata__: metadata, ...header } = JSON.parse(file.toString("utf8", 8, 8 + length));
  return { header, metadata, dataBytes: file.length - 8 - length };
}

/** The tensors that transformers' LlamaForCausalLM with tied embeddings loads, by name. */
function expectedShapes(config: Config): Record<string, number[]> {
  const { hidden_size: hidden, intermediate_size: ffn, head_dim: head } = config;
  const queries = config.num_attention_heads * head;
  const keys = config.num_key_value_heads * head;
  const ofLayer: Record<string, number[]> = {
    "input_layernorm.weight": [hidden],
    "post_attention_layernorm.weight": [hidden],
    "self_attn.q_proj.weight": [queries, hidden],
    "self_attn.k_proj.weight": [keys, hidden],
    "self_attn.v_proj.weight": [keys, hidden],
    "self_attn.o_proj.weight": [hidden, queries],
    "mlp.gate_proj.weight": [ffn, hidden],
    "mlp.up_proj.weight": [ffn, hidden],
    "mlp.down_proj.weight": [hidden, ffn],
  };
  const shapes: Record<string, number[]> = {
    "model.embed_tokens.weight": [config.vocab_size, hidden],
    "model.norm.weight": [hidden],
  };
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    for (const [name, shape] of Object.entries(ofLayer)) {
      shapes[`model.layers.${layer}.${name}`] = shape;
    }
  }
  return shapes;
}

/** Logits of every position, `[length, vocabulary]`. */
async function logitsOf(languageModel: LanguageModel): Promise<Float32Array> {
  const { greedy_ids: ids } = readJson(shared(`models/${model}/reference.json`)) as {
    greedy_ids: number[];
  };
  const hidden = languageModel.hiddenStates(languageModel.tokens([ids]));
  return languageModel.logits(hidden.reshape([ids.length, languageModel.config.hiddenSize])).read();
}

describe.skipIf(absent)(`export --format hf is a plain checkpoint${absent}`, () => {
  let packed = "";
  let plain = "";
  const original = readConfig();
  beforeAll(async () => {
    if (absent) return;
    packed = await quantizeLikeReference(model, {
      method: "rtn",
      scheme: "w4g64",
      ignore: ["layers.0.mlp.down_proj"],
      out: inFolder("packed"),
    });
    plain = inFolder("plain");
    await exportCheckpoint(packed, { format: "hf", out: plain });
  });

  test("names and shapes are those that transformers loads, and no others", () => {
    const { header, metadata } = readHeader(join(plain, "model.safetensors"));
    const shapes = Object.entries(header).map(([name, { shape }]) => [name, shape]);
    expect(Object.fromEntries(shapes)).toEqual(expectedShapes(original));
    // transformers refuses files whose metadata does not say how tensors are laid out.
    expect(metadata).toMatchObject({ format: "pt" });
  });

  test("decoded weights are float32, the others as they were; data without gaps", () => {
    const { header, dataBytes } = readHeader(join(plain, "model.safetensors"));
    const kept = /norm|embed_tokens|layers\.0\.mlp\.down_proj/;
    for (const [name, { dtype }] of Object.entries(header)) {
      expect([name, dtype]).toEqual([name, kept.test(name) ? "F16" : "F32"]);
    }
    const ranges = Object.values(header).map(({ data_offsets: range }) => range);
    ranges.sort(([a], [b]) => a - b);
    let end = 0;
    for (const [from, to] of ranges) {
      expect(from).toBe(end);
      end = to;
    }
    expect(end).toBe(dataBytes);
  });

  test("config.json is the original's with another dtype, and says nothing of quantization", () => {
    const config = readJson(join(plain, "config.json"));
    expect(config).toEqual({ ...original, torch_dtype: "float32" });
    expect(config).toHaveProperty("tie_word_embeddings", true);
  });

  test("tokenizer and generation settings come along", () => {
    for (const name of ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]) {
      expect(readFileSync(join(plain, name))).toEqual(
        readFileSync(shared(`models/${model}/${name}`)),
      );
    }
    expect(existsSync(join(plain, "run.json"))).toBe(false);
  });

  test("killed after its output got its name, it ends well when it is run again", async () => {
    const out = join(inFolder("killed"), "out");
    mkdirSync(inFolder("killed"));
    const args = ["export", packed, "--format", "hf", "--out", out];
    expect((await killAt(args, /^rm \.journal/)).code).toBeNull();
    const { code, stderr } = await fewbitHere(args);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain("everything but the last step");
    expect(filesOf(out)).toEqual(filesOf(plain));
    expect(besides(out)).toEqual([]);
  });

  test("SVID's weights decode to plain ones; OneBit's layer is refused before anything is written", async () => {
    const method = "svid" as const;
    const svid = inFolder("svid");
    await quantizeLikeReference(model, { method, scheme: "w1-svid", out: svid });
    await exportCheckpoint(svid, { format: "hf", out: inFolder("svid-plain") });
    const models = [await load(svid), await load(inFolder("svid-plain"))];
    const [expected, found] = await Promise.all(models.map(logitsOf));
    const difference = found.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0);
    expect(difference).toBeLessThan(1e-3);
    for (const loaded of models) loaded.release();
    const oneBit = inFolder("onebit");
    await quantizeLikeReference(model, { method, scheme: "w1-onebit", out: oneBit });
    const exported = exportCheckpoint(oneBit, { format: "hf", out: inFolder("onebit-plain") });
    await expect(exported).rejects.toThrow(/35 layers, the first .* are of the kind onebit/);
    expect(existsSync(inFolder("onebit-plain"))).toBe(false);
  });

  test.each([
    ["f32", 1e-4],
    ["f16", 0.05],
    ["bf16", 0.5],
  ] as const)("logits of the %s export are those of the packed model", async (dtype, tolerance) => {
    const out = dtype === "f32" ? plain : inFolder(dtype);
    if (dtype !== "f32") await exportCheckpoint(packed, { format: "hf", dtype, out });
    const models = [await load(packed), await load(out)];
    const [expected, found] = await Promise.all(models.map(logitsOf));
    expect(found.length).toBe(expected.length);
    const difference = found.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0);
    expect(difference).toBeLessThan(tolerance);
    for (const loaded of models) loaded.release();
  });

  test("a plain checkpoint is refused, and an existing output kept", async () => {
    const again = exportCheckpoint(plain, { format: "hf", out: inFolder("twice") });
    await expect(again).rejects.toThrow(/is not quantized/);
    const before = readFileSync(join(plain, "model.safetensors"));
    const over = exportCheckpoint(packed, { format: "hf", out: plain });
    await expect(over).rejects.toThrow(/exists/);
    expect(readFileSync(join(plain, "model.safetensors")).equals(before)).toBe(true);
  });
});

function readConfig(): Config {
  return readJson(absent ? "package.json" : shared(`models/${model}/config.json`)) as Config;
}
