import { expect, test } from "vitest";
import { GgufNames, pairedRows, partedRows, rowOrder, splitTensorName } from "./tensor-names.ts";

/** Names as those of Llama, with norms of heads. */
const names = new GgufNames({
  blocks: "model.layers",
  slots: { query: "self_attn.q_proj", down: "mlp.down_proj" },
  norms: { mlp: "post_attention_layernorm", key: "self_attn.k_norm" },
  embedding: "model.embed_tokens",
  positions: null,
  norm: "model.norm",
  head: "lm_head",
});

test.each([
  ["model.embed_tokens", "token_embd"],
  ["lm_head", "output"],
  ["model.norm", "output_norm"],
  ["model.layers.12.self_attn.q_proj", "blk.12.attn_q"],
  ["model.layers.0.self_attn.k_norm", "blk.0.attn_k_norm"],
  ["model.layers.3.post_attention_layernorm", "blk.3.ffn_norm"],
  ["model.layers.3.mlp.down_proj", "blk.3.ffn_down"],
])("%s is %s in a GGUF file, both ways", (hf, gguf) => {
  expect(names.toGguf(hf)).toBe(gguf);
  expect(names.toCheckpoint(gguf)).toBe(hf);
});

test("modules that only one side has are not named", () => {
  expect(names.toCheckpoint("blk.0.ffn_gate_exps")).toBeNull();
  expect(names.toCheckpoint("blk.x.attn_q")).toBeNull();
  expect(names.toCheckpoint("rope_freqs")).toBeNull();
  expect(names.toGguf("model.layers.0.mlp.experts")).toBeNull();
  expect(splitTensorName("blk.0.attn_q.weight")).toEqual(["blk.0.attn_q", ".weight"]);
  expect(splitTensorName("plain")).toEqual(["plain", ""]);
});

test("the channels that a rotation turns lie side by side in the file", () => {
  // A head of width 6: numpy's arange(6).reshape(2, 3).swapaxes(0, 1).reshape(-1), the other way.
  expect([...pairedRows(6)]).toEqual([0, 2, 4, 1, 3, 5]);
});

test("joined heads become parts: all queries, then all keys, then all values", () => {
  // Two heads of width 2: rows of q0 k0 v0 q1 k1 v1 in the order q0 q1 k0 k1 v0 v1.
  expect([...partedRows(2, 2)]).toEqual([0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
});

test("only queries and keys, and joined heads, lie otherwise", () => {
  const sizes = { heads: 9, kvHeads: 3, headDim: 4, joined: "parts" } as const;
  expect(rowOrder("blk.0.attn_q", true, sizes)).toHaveLength(4);
  expect(rowOrder("blk.0.attn_k", true, sizes)).toHaveLength(4);
  expect(rowOrder("blk.0.attn_q", false, sizes)).toBeNull();
  expect(rowOrder("blk.0.attn_v", true, sizes)).toBeNull();
  expect(rowOrder("blk.0.attn_qkv", false, sizes)).toBeNull();
  expect(rowOrder("blk.0.attn_qkv", false, { ...sizes, joined: "heads" })).toHaveLength(108);
});
