import { describe, expect, test } from "vitest";
import { findGgufFamily } from "../../../formats/gguf/gguf-family.ts";
import type { GgufTensor } from "../../../formats/gguf/gguf-header.ts";
import { GgufMetadata, type GgufValue } from "../../../formats/gguf/gguf-metadata.ts";
import { ggmlTypeNamed, type GgmlType } from "../../../formats/gguf/gguf-types.ts";
import { ggufModelConfig } from "../../../formats/gguf/model-config.ts";
import { ggufFamilies, ggufTraitsOf, readModelConfig } from "../../../models/index.ts";
import { inverseFrequencies } from "../../../nn/rope.ts";
import { modelMetadata } from "./model-metadata.ts";

const base = {
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 100,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  hidden_act: "silu",
};

const describeConfig = (fields: object) => {
  const json = { ...base, ...fields };
  return modelMetadata(readModelConfig(json), ggufTraitsOf(json));
};

const valueOf = (fields: object, key: string): unknown => {
  const value = describeConfig(fields).entries.get(`llama.${key}`);
  return value?.type === "array" ? [...value.values] : value?.value;
};

test("sizes stand under the keys of the architecture", () => {
  expect(describeConfig({}).entries.get("llama.embedding_length")).toEqual({
    type: "u32",
    value: 64,
  });
  expect(valueOf({}, "block_count")).toBe(4);
  expect(valueOf({}, "attention.head_count_kv")).toBe(2);
  expect(valueOf({}, "attention.key_length")).toBe(16);
  expect(valueOf({}, "rope.dimension_count")).toBe(16);
  expect(valueOf({}, "context_length")).toBe(512);
  expect(valueOf({ rope_theta: 5e5 }, "rope.freq_base")).toBe(5e5);
  expect([...describeConfig({}).ropeFactors]).toEqual([]);
  expect(describeConfig({}).notices).toEqual([]);
});

describe("scaled rotations", () => {
  test("linear and YaRN are stated", () => {
    const linear = { rope_scaling: { rope_type: "linear", factor: 4 } };
    expect(valueOf(linear, "rope.scaling.type")).toBe("linear");
    expect(valueOf(linear, "rope.scaling.factor")).toBe(4);
    const yarn = {
      rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 128 },
    };
    expect(valueOf(yarn, "rope.scaling.type")).toBe("yarn");
    expect(valueOf(yarn, "rope.scaling.original_context_length")).toBe(128);
    expect(valueOf(yarn, "rope.scaling.attn_factor")).toBeCloseTo(1, 12);
  });

  test("a stated attention factor is what llama.cpp's own is multiplied by", () => {
    const scaling = { rope_type: "yarn", factor: 4, attention_factor: 2 };
    const own = 0.1 * Math.log(4) + 1;
    expect(valueOf({ rope_scaling: scaling }, "rope.scaling.attn_factor")).toBeCloseTo(2 / own, 12);
  });

  test("those of Llama 3 are divisors of the frequencies", () => {
    const scaling = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    const ropeFactors = describeConfig({ rope_scaling: scaling }).ropeFactors.get(
      "rope_freqs.weight",
    );
    const plain = inverseFrequencies({ theta: 10_000, headDim: 16 });
    const [{ rope }] = readModelConfig({ ...base, rope_scaling: scaling }).layers;
    if (!rope) throw new Error("expected a rotation");
    const scaled = inverseFrequencies(rope);
    expect(ropeFactors).toHaveLength(8);
    ropeFactors?.forEach((factor, i) => expect(plain[i] / factor).toBeCloseTo(scaled[i], 6));
    expect(ropeFactors?.[0]).toBe(1);
    expect(ropeFactors?.[7]).toBeCloseTo(8, 5);
  });
});

describe("what llama.cpp computes otherwise", () => {
  test("windows are stated and said", () => {
    const fields = { model_type: "mistral", sliding_window: 128 };
    expect(valueOf(fields, "attention.sliding_window")).toBe(128);
    expect(describeConfig(fields).notices).toEqual([expect.stringContaining("128 tokens")]);
    expect(describeConfig({ ...fields, sliding_window: 512 }).notices).toEqual([]);
  });
});

test.each([
  ["attn_norm", "ffn_norm"],
  ["attn_norm", "attn_q_norm", "attn_k_norm"],
])(
  "a StableLM with the norms %s is what its tensors say, not what its converter does",
  (...norms) => {
    const json = { ...base, model_type: "stablelm" };
    const entries = new Map<string, GgufValue>([
      ...modelMetadata(readModelConfig(json), ggufTraitsOf(json)).entries,
      ["general.architecture", { type: "string", value: "stablelm" }],
      // The converter takes a model for parallel whose config.json does not say.
      ["stablelm.use_parallel_residual", { type: "bool", value: true }],
    ]);
    const metadata = new GgufMetadata("a.gguf", entries);
    const type = ggmlTypeNamed("f32") as GgmlType;
    const tensors = new Map(
      norms.map((norm): [string, GgufTensor] => {
        const name = `blk.0.${norm}.weight`;
        return [name, { name, shape: [64], type, begin: 0, end: 256 }];
      }),
    );
    const family = findGgufFamily(metadata, ggufFamilies);
    const read = ggufModelConfig({
      metadata,
      family,
      tensors,
      ropeFactors: null,
      longFactors: null,
    });
    expect(read).toMatchObject({
      use_parallel_residual: !norms.includes("ffn_norm"),
      qk_layernorm: norms.includes("attn_q_norm"),
      use_qkv_bias: false,
    });
    const { attention: _, ...others } = readModelConfig(read).names.norms;
    expect(Object.keys(others)).toEqual(norms.includes("ffn_norm") ? ["mlp"] : ["query", "key"]);
  },
);
