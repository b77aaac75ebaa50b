import { describe, expect, test } from "vitest";
import type { WeightSource } from "../nn/weight-source.ts";
import type { Shape } from "../tensor/shape.ts";
import { FormatError } from "../util/errors.ts";
import { checkWeights, expectedTensors } from "./decoder-tensors.ts";
import { readModelConfig } from "./index.ts";

const config = readModelConfig({
  model_type: "qwen3",
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 6,
  attention_bias: true,
  vocab_size: 10,
});

function sourceOf(shapes: Map<string, Shape>): WeightSource {
  const unread = () => Promise.reject(new Error("nothing may be read for the check"));
  return {
    has: (name) => shapes.has(name),
    shape: (name) => shapes.get(name) ?? [],
    tensor: unread,
    matrix: unread,
    storedMatrix: unread,
  };
}

describe("the weights of a checkpoint", () => {
  test("are those that the configuration implies", () => {
    const shapes = Object.fromEntries(expectedTensors(config));
    expect(shapes["model.layers.0.self_attn.q_proj.weight"]).toEqual([24, 16]);
    expect(shapes["model.layers.0.self_attn.k_proj.bias"]).toEqual([12]);
    expect(shapes["model.layers.0.self_attn.o_proj.weight"]).toEqual([16, 24]);
    expect(shapes["model.layers.0.self_attn.q_norm.weight"]).toEqual([6]);
    expect(shapes["model.layers.0.mlp.down_proj.weight"]).toEqual([16, 24]);
    expect(shapes["lm_head.weight"]).toEqual([10, 16]);
    expect(Object.keys(shapes)).toHaveLength(1 + 4 + 7 + 4 + 2);
    expect([...expectedTensors({ ...config, tiedEmbeddings: true })]).toHaveLength(17);
  });

  test("pass when all are there in their shapes", () => {
    expect(() => checkWeights(config, sourceOf(new Map(expectedTensors(config))))).not.toThrow();
  });

  test("each that is missing is named with the shape it should have", () => {
    for (const [name] of expectedTensors(config)) {
      const shapes = new Map(expectedTensors(config));
      shapes.delete(name);
      expect(() => checkWeights(config, sourceOf(shapes))).toThrow(`no tensor ${name}: expected`);
    }
  });

  test("each with a wrong shape is named with both shapes", () => {
    const shapes = new Map(expectedTensors(config)).set("model.norm.weight", [16, 1]);
    const check = () => checkWeights(config, sourceOf(shapes));
    expect(check).toThrow(FormatError);
    expect(check).toThrow("model.norm.weight: expected shape [16] by config.json, got [16, 1]");
  });
});
