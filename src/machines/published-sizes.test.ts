import { describe, expect, test } from "vitest";
import { readModelConfig } from "../models/index.ts";
import { shapeOf } from "./model-shape.ts";
import { storedBytes, storedSizes } from "./storage.ts";

/** Sizes of published configurations. */
type Sizes = readonly [
  type: string,
  hidden: number,
  inner: number,
  blocks: number,
  heads: number,
  kvHeads: number,
  vocabulary: number,
];

const llama2With7B: Sizes = ["llama", 4096, 11008, 32, 32, 32, 32000];
const llama2With70B: Sizes = ["llama", 8192, 28672, 80, 64, 8, 32000];
const llama3With70B: Sizes = ["llama", 8192, 28672, 80, 64, 8, 128256];
const mistralLarge: Sizes = ["mistral", 12288, 28672, 88, 96, 8, 32768];

function sizesOf([type, hidden, inner, blocks, heads, kvHeads, vocabulary]: Sizes, linear: string) {
  const config = readModelConfig({
    model_type: type,
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: blocks,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: vocabulary,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: false,
  });
  const floats = { embedding: "f16", head: "f16", others: "f16" } as const;
  return storedSizes(shapeOf(config), { linear, ...floats });
}

describe("EfficientQAT's sizes: embedding and head in 16 bits, scales too, zero points in 2", () => {
  test.each([
    ["Llama-2-7B", llama2With7B, "w2g64", 2.3],
    ["Llama-2-7B", llama2With7B, "w2g128", 2.2],
    ["Llama-2-70B", llama2With70B, "w2g64", 20.1],
    ["Llama-2-70B", llama2With70B, "w2g128", 18.9],
    ["Llama-3-70B", llama3With70B, "w2g64", 23.2],
    ["Llama-3-70B", llama3With70B, "w2g128", 22.0],
    ["Mistral-Large-123B", mistralLarge, "w2g64", 35.5],
  ])("%s at %3$s is %4$s of its GB, which are 10^6 KiB", (_, sizes, scheme, published) => {
    const { all } = sizesOf(sizes as Sizes, scheme as string);
    expect(Number((all / 1024e6).toFixed(1))).toBe(published);
  });

  test("bits a weight are 2 + (16 + 2) / 64", () => {
    expect(sizesOf(llama2With7B, "w2g64").bitsPerWeight.linear).toBe(2 + 18 / 64);
  });
});

describe("OneBit's sizes: a sign a weight, a float16 for each row and column", () => {
  test("4096 × 4096 weights take 16,908,288 bits", () => {
    expect(8 * storedBytes("w1-onebit", 4096, 4096)).toBe(16_908_288);
  });

  test.each([
    ["7B", llama2With7B, 13.5, 1.3],
    ["13B", ["llama", 5120, 13824, 40, 40, 40, 32000], 26.0, 2.2],
    ["30B", ["llama", 6656, 17920, 60, 52, 52, 32000], 65.1, 4.9],
    ["65B", ["llama", 8192, 22016, 80, 64, 64, 32000], 130.6, 9.2],
  ])("LLaMA-%s: %3$s GB become %4$s, more than 90 %% less", (_, sizes, before, after) => {
    const [float, packed] = ["f16", "w1-onebit"].map((id) => sizesOf(sizes as Sizes, id).all);
    expect(Number((float / 1e9).toFixed(1))).toBe(before);
    expect(Math.abs(packed / 1e9 - (after as number))).toBeLessThanOrEqual(0.0501);
    expect(1 - packed / float).toBeGreaterThan(0.9);
  });
});
