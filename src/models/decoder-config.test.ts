import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { architectures, findArchitecture, readModelConfig } from "./index.ts";

const base = {
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  vocab_size: 100,
};

describe("config.json", () => {
  test("what is left out has the family's defaults", () => {
    const config = readModelConfig(base);
    expect(config.kvHeads).toBe(8);
    expect(config.headDim).toBe(8);
    expect(config.layers[0].rope).toEqual({ theta: 10_000, headDim: 8 });
    expect(config.tiedEmbeddings).toBe(false);
    expect(readModelConfig({ ...base, model_type: "smollm3" }).tiedEmbeddings).toBe(true);
    expect(readModelConfig({ ...base, model_type: "qwen3", num_key_value_heads: 8 }).headDim).toBe(
      128,
    );
  });

  test("both spellings of rope parameters mean the same", () => {
    const llama3 = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    const older = readModelConfig({ ...base, rope_theta: 5e5, rope_scaling: llama3 });
    const newer = readModelConfig({ ...base, rope_parameters: { ...llama3, rope_theta: 5e5 } });
    expect(newer).toEqual(older);
    expect(newer.layers[0].rope?.scaling).toMatchObject({ kind: "llama3", originalContext: 8192 });
  });

  test("rope_scaling that is not empty takes the place of rope_parameters", () => {
    const linear = { rope_type: "linear", factor: 4 };
    const parameters = { rope_type: "default", rope_theta: 5e5 };
    const ropeOf = (fields: object) => readModelConfig({ ...base, ...fields }).layers[0].rope;
    expect(ropeOf({ rope_scaling: linear, rope_parameters: parameters })).toEqual({
      theta: 10_000,
      headDim: 8,
      scaling: { kind: "linear", factor: 4 },
    });
    for (const empty of [null, {}]) {
      const rope = ropeOf({ rope_scaling: empty, rope_parameters: parameters, rope_theta: 7 });
      expect(rope).toEqual({ theta: 5e5, headDim: 8 });
    }
  });

  test("the context of the first training stands beside rope_scaling or in it", () => {
    const yarn = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16 };
    const originalOf = (fields: object) =>
      readModelConfig({ ...base, max_position_embeddings: 64, ...fields }).layers[0].rope?.scaling;
    expect(originalOf({ rope_scaling: yarn })).toMatchObject({ originalContext: 16 });
    expect(originalOf({ rope_scaling: yarn, original_max_position_embeddings: 32 })).toMatchObject({
      originalContext: 32,
    });
    expect(originalOf({ rope_scaling: { type: "yarn", factor: 4 } })).toMatchObject({
      originalContext: 64,
    });
  });

  test.each([
    ["a rope type", { rope_scaling: { type: "proportional" } }, /rope_type "proportional"/],
    ["an inherited key as rope type", { rope_scaling: { type: "toString" } }, /"toString"/],
    [
      "one rotation a layer type",
      { rope_parameters: { full_attention: { rope_theta: 5e5 } } },
      /one rotation a layer type \("full_attention"\)/,
    ],
    [
      "a sliding llama",
      { sliding_window: 8, layer_types: Array(4).fill("sliding_attention") },
      /layer_types\[0\] slides, but a llama/,
    ],
    ["an activation", { hidden_act: "mish" }, /hidden_act "mish"/],
    ["an inherited key as activation", { hidden_act: "constructor" }, /hidden_act "constructor"/],
    ["partial rotation", { partial_rotary_factor: 0.5 }, /partial_rotary_factor 0.5/],
  ])("%s that is not known is an UnsupportedError", (_, change, message) => {
    expect(() => readModelConfig({ ...base, ...change })).toThrow(UnsupportedError);
    expect(() => readModelConfig({ ...base, ...change })).toThrow(message);
  });

  test.each([
    ["a missing field", { hidden_size: undefined }, /hidden_size/],
    ["a negative width", { intermediate_size: -4 }, /intermediate_size/],
    ["a text where a number stands", { num_hidden_layers: "4" }, /num_hidden_layers/],
    ["heads that key heads do not divide", { num_key_value_heads: 3 }, /multiple of num_key/],
    ["an odd head width", { head_dim: 7 }, /even head_dim, got 7/],
    ["a fractional head width", { hidden_size: 60 }, /hidden_size 60 is not a multiple/],
    ["a theta that is null", { rope_theta: null }, /rope_theta is null/],
    ["a rope type that is null", { rope_scaling: { rope_type: null } }, /rope_type is null/],
    [
      "longrope without factors",
      { rope_scaling: { type: "longrope" } },
      /needs 4 numbers as short/,
    ],
    ["linear scaling without factor", { rope_scaling: { type: "linear" } }, /needs factor/],
  ])("%s is a FormatError that names it", (_, change, message) => {
    expect(() => readModelConfig({ ...base, ...change })).toThrow(FormatError);
    expect(() => readModelConfig({ ...base, ...change })).toThrow(message);
  });

  test("an unknown model type is refused with the list of the known", () => {
    expect(() => findArchitecture({ model_type: "mamba" })).toThrow(UnsupportedError);
    try {
      findArchitecture({ model_type: "mamba" });
    } catch (error) {
      for (const { modelType } of architectures) {
        expect((error as UnsupportedError).hint).toContain(modelType);
      }
    }
    expect(() => findArchitecture(null)).toThrow(FormatError);
    const parts = { ...base, text_config: { tie_word_embeddings: true } };
    expect(() => findArchitecture(parts)).toThrow(/several parts/);
    expect(() => findArchitecture([])).toThrow(FormatError);
  });
});

describe("windows", () => {
  const windowsOf = (json: object) => readModelConfig(json).layers.map((layer) => layer.window);

  test("mistral slides everywhere, unless sliding_window is null", () => {
    const json = { ...base, model_type: "mistral", num_key_value_heads: 8 };
    expect(windowsOf({ ...json, sliding_window: 16 })).toEqual([16, 16, 16, 16]);
    expect(windowsOf({ ...json, sliding_window: null })).toEqual([null, null, null, null]);
    expect(windowsOf(json)).toEqual([4096, 4096, 4096, 4096]);
    const types = ["full_attention", "sliding_attention", "attention", "sliding_attention"];
    for (const model_type of ["mistral", "ministral"]) {
      const mixed = { ...json, model_type, sliding_window: 16, layer_types: types };
      expect(windowsOf(mixed)).toEqual([null, 16, null, 16]);
    }
  });

  test("qwen2 slides from max_window_layers on, and only with use_sliding_window", () => {
    const json = {
      ...base,
      model_type: "qwen2",
      num_key_value_heads: 8,
      sliding_window: 16,
      max_window_layers: 3,
    };
    expect(windowsOf(json)).toEqual([null, null, null, null]);
    expect(windowsOf({ ...json, use_sliding_window: true })).toEqual([null, null, null, 16]);
  });

  test("layer_types say it block by block", () => {
    const json = {
      ...base,
      model_type: "qwen3",
      num_key_value_heads: 8,
      use_sliding_window: true,
      sliding_window: 16,
    };
    const types = ["sliding_attention", "full_attention", "full_attention", "sliding_attention"];
    expect(windowsOf({ ...json, layer_types: types })).toEqual([16, null, null, 16]);
    expect(() => windowsOf({ ...json, layer_types: types.slice(1) })).toThrow(FormatError);
    expect(() => windowsOf({ ...json, layer_types: types.with(1, "chunked") })).toThrow(
      UnsupportedError,
    );
    expect(() => windowsOf({ ...json, use_sliding_window: false, layer_types: types })).toThrow(
      FormatError,
    );
  });

  test("smollm3 leaves every fourth block unrotated", () => {
    const { layers } = readModelConfig({ ...base, model_type: "smollm3" });
    expect(layers.map((layer) => layer.rope !== null)).toEqual([true, true, true, false]);
  });
});
