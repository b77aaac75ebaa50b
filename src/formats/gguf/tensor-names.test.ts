import { describe, expect, test } from "vitest";
import { GgufNames, splitTensorName } from "./tensor-names.ts";

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

describe("experts of a mixture", () => {
  const llama = { blocks: "m.layers", slots: {}, norms: {}, embedding: "e", positions: null };
  const mlp = { gate: "w1", up: "w3", down: "w2" };
  const experts = { router: "moe.gate", experts: "moe.experts", layers: mlp };
  const shared = { shared: mlp, sharedGate: "share" };
  const mixture = new GgufNames({
    ...llama,
    norm: null,
    head: "h",
    experts: { ...experts, ...shared },
  });

  test("are matrices of stacks", () => {
    const place = { name: "blk.3.ffn_up_exps", expert: 7 };
    expect(mixture.place("m.layers.3.moe.experts.7.w3")).toEqual(place);
    expect(mixture.toGguf("m.layers.3.moe.experts.7.w3")).toBe("blk.3.ffn_up_exps");
    expect(mixture.ofStack("blk.3.ffn_up_exps", 7)).toEqual(["m.layers.3.moe.experts.7.w3"]);
    expect(mixture.ofStack("blk.0.ffn_gate_up_exps", 1)).toEqual([
      "m.layers.0.moe.experts.1.w1",
      "m.layers.0.moe.experts.1.w3",
    ]);
    expect(mixture.ofStack("blk.3.ffn_up", 0)).toBeNull();
    expect(names.ofStack("blk.3.ffn_up_exps", 0)).toBeNull();
    expect(mixture.place("m.layers.3.moe.experts.7.w4")).toBeNull();
  });

  test("have modules of their own in older files", () => {
    expect(mixture.toCheckpoint("blk.2.ffn_down.5")).toBe("m.layers.2.moe.experts.5.w2");
    expect(mixture.toCheckpoint("blk.2.ffn_norm.5")).toBeNull();
    expect(names.toCheckpoint("blk.2.ffn_down.5")).toBeNull();
  });

  test.each([
    ["m.layers.0.moe.gate", "blk.0.ffn_gate_inp"],
    ["m.layers.0.share", "blk.0.ffn_gate_inp_shexp"],
    ["m.layers.0.w2", "blk.0.ffn_down_shexp"],
  ])("%s is %s, both ways", (hf, gguf) => {
    expect(mixture.place(hf)).toEqual({ name: gguf, expert: null });
    expect(mixture.toCheckpoint(gguf)).toBe(hf);
  });
});
