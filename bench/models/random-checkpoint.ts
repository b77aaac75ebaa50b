import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CheckpointWriter } from "../../src/formats/checkpoint-writer.ts";
import { expectedTensors } from "../../src/models/decoder-tensors.ts";
import { readModelConfig } from "../../src/models/index.ts";
import { elementCount } from "../../src/tensor/shape.ts";
import { floatToBfloatBits } from "../../src/util/half.ts";
import { Prng } from "../../src/util/prng.ts";
import { byteTokenizer } from "./byte-tokenizer.ts";

/**
 * The 1.1 B Llama shape: 2048 wide, 22 layers, FFN 5632, 32 heads over 4 key heads, 32,000 tokens.
 */
export function billionShape(layers: number): Record<string, unknown> {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: layers,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    vocab_size: 32000,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: false,
    bos_token_id: 256,
    eos_token_id: 257,
    torch_dtype: "bfloat16",
  };
}

/** The 7 B Llama shape: 4096 wide, 32 layers, FFN 11008, 32 heads. */
export function sevenBillionShape(vocabulary: number): Record<string, unknown> {
  return {
    ...billionShape(32),
    hidden_size: 4096,
    intermediate_size: 11008,
    num_key_value_heads: 32,
    vocab_size: vocabulary,
  };
}

/** The shape of SmolLM2-135M, whose embedding is its head. */
export const smallShape: Record<string, unknown> = smallShapeOf(30);

/** The same with other numbers of layers. */
export function smallShapeOf(layers: number): Record<string, unknown> {
  return {
    ...billionShape(layers),
    hidden_size: 576,
    intermediate_size: 1536,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    vocab_size: 49152,
    tie_word_embeddings: true,
  };
}

/**
 * Writes a bfloat16 checkpoint with random weights and a byte-level tokenizer. Of blocks from number
 * `blocks` on the weight files have holes in their full size, which read as zeros: for runs that end
 * before.
 */
export async function writeRandomCheckpoint(
  directory: string,
  config: Record<string, unknown>,
  blocks: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  writeFileSync(join(directory, "tokenizer.json"), JSON.stringify(byteTokenizer()));
  writeFileSync(join(directory, "tokenizer_config.json"), "{}");
  const entries = [...expectedTensors(readModelConfig(config))].map(([name, shape]) => ({
    name,
    dtype: "bf16" as const,
    shape,
  }));
  const writer = await CheckpointWriter.create(directory, entries);
  const random = new Prng(1);
  const pool = Uint16Array.from({ length: 1 << 20 }, () =>
    floatToBfloatBits(0.02 * random.normal()),
  );
  for (const { name, shape } of entries) {
    if (Number(/layers\.(\d+)\./.exec(name)?.[1] ?? 0) >= blocks) continue;
    const count = elementCount(shape);
    const values = new Uint16Array(count);
    if (shape.length === 1) values.fill(floatToBfloatBits(1));
    else {
      // Every tensor starts elsewhere in the pool, so that no two are the same.
      let from = random.below(pool.length);
      for (let at = 0; at < count; from = 0) {
        const part = pool.subarray(from, from + Math.min(pool.length - from, count - at));
        values.set(part, at);
        at += part.length;
      }
    }
    await writer.write(name, values);
  }
  await (blocks < Number.POSITIVE_INFINITY ? writer.close() : writer.finish());
}

/** A text of random letters: for the byte-level tokenizer, a token each. */
export function randomLetters(count: number): string {
  const random = new Prng(2);
  return Array.from({ length: count }, () => String.fromCharCode(97 + random.below(26))).join("");
}
