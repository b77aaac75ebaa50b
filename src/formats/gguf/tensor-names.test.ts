import { expect, test } from "vitest";
import {
  ggufModuleName,
  ggufRows,
  hfModuleName,
  hfRows,
  permutedHeads,
  splitTensorName,
} from "./tensor-names.ts";

test.each([
  ["model.embed_tokens", "token_embd"],
  ["lm_head", "output"],
  ["model.norm", "output_norm"],
  ["model.layers.12.self_attn.q_proj", "blk.12.attn_q"],
  ["model.layers.0.self_attn.k_norm", "blk.0.attn_k_norm"],
  ["model.layers.3.post_attention_layernorm", "blk.3.ffn_norm"],
  ["model.layers.3.mlp.down_proj", "blk.3.ffn_down"],
])("%s is %s in a GGUF file, both ways", (hf, gguf) => {
  expect(ggufModuleName(hf)).toBe(gguf);
  expect(hfModuleName(gguf)).toBe(hf);
});

test("modules that only one side has are not named", () => {
  expect(hfModuleName("blk.0.ffn_gate_exps")).toBeNull();
  expect(hfModuleName("blk.x.attn_q")).toBeNull();
  expect(hfModuleName("rope_freqs")).toBeNull();
  expect(ggufModuleName("model.layers.0.mlp.experts")).toBeNull();
  expect(splitTensorName("blk.0.attn_q.weight")).toEqual(["blk.0.attn_q", ".weight"]);
  expect(splitTensorName("plain")).toEqual(["plain", ""]);
});

test("the channels that a rotation turns lie side by side in the file", () => {
  // Two heads of width 6: numpy's arange(12).reshape(2, 2, 3).swapaxes(1, 2).reshape(-1).
  expect([...hfRows(12, 2)]).toEqual([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
  const back = hfRows(12, 2);
  expect([...ggufRows(12, 2)].map((place) => back[place])).toEqual([...Array(12).keys()]);
});

test("only queries and keys have heads whose rows lie otherwise", () => {
  const heads = { heads: 9, kvHeads: 3 };
  expect(permutedHeads("model.layers.0.self_attn.q_proj", heads)).toBe(9);
  expect(permutedHeads("model.layers.0.self_attn.k_proj", heads)).toBe(3);
  expect(permutedHeads("model.layers.0.self_attn.v_proj", heads)).toBeNull();
});
