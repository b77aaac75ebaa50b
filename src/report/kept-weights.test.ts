import { expect, test } from "vitest";
import { keptWeights } from "./kept-weights.ts";

const f16 = (name: string, ...shape: number[]) => ({
  name,
  dtype: "f16",
  shape,
  sizeBytes: 2 * shape.reduce((a, b) => a * b, 1),
  used: true,
});

test("matrices that are not packed are summed up, those of the blocks apart", () => {
  const tensors = [
    f16("model.embed_tokens.weight", 100, 8),
    f16("model.layers.0.input_layernorm.weight", 8),
    f16("model.layers.0.self_attn.q_proj.weight", 8, 8),
    {
      name: "model.layers.0.mlp.up_proj.codes",
      dtype: "u8",
      shape: [8, 4],
      sizeBytes: 32,
      used: true,
    },
    { ...f16("v_head.weight", 100, 8), used: false },
    f16("model.layers.0.mlp.up_proj.scales", 8, 1),
    f16("lm_head.weight", 100, 8),
  ];
  const packed = {
    module: "model.layers.0.mlp.up_proj",
    scheme: "w4",
    shape: [8, 8] as const,
    sizeBytes: 48,
    bitsPerWeight: 6,
  };
  expect(keptWeights(tensors, [packed], "lm_head")).toEqual([
    { label: "layers kept", bitsPerWeight: 16, sizeBytes: 128 },
    { label: "embedding, head", bitsPerWeight: 16, sizeBytes: 3200 },
  ]);
});
