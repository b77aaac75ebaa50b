import { readModelConfig } from "../../src/models/index.ts";
import { elementCount } from "../../src/tensor/shape.ts";
import { type GgmlType, ggmlBytes } from "./gguf-blocks.ts";
import { type GgufTensor, type GgufValue, writeRandomGguf } from "./gguf-writer.ts";

/** Types of the tensors of a GGUF file. Norms are float32. */
export interface GgufTypes {
  /** Of the linears of all blocks, and of the embedding, as `llama-quantize --pure` does it. */
  readonly weights: GgmlType;
  /** Of the output head. */
  readonly head: GgmlType;
  /** Of values and of the second layer of the MLP, in the blocks to which mixtures give more. */
  readonly more?: GgmlType;
}

/** Number of `general.file_type`; llama.cpp only shows it. */
const fileTypes: Readonly<Record<GgmlType, number>> = {
  F32: 0,
  Q4_0: 2,
  Q8_0: 7,
  Q2_K: 10,
  Q4_K: 15,
  Q6_K: 18,
  TQ2_0: 37,
};

/**
 * Writes a GGUF file of a random Llama of the shape in a Hugging Face config; returns its size in
 * bytes. Its tokenizer is of the "llama" kind: three special tokens, the 256 bytes, then made-up
 * words.
 */
export async function writeRandomLlamaGguf(
  path: string,
  config: Record<string, unknown>,
  types: GgufTypes,
): Promise<number> {
  return writeRandomGguf(path, llamaMetadata(config, types), llamaTensors(config, types));
}

/**
 * Bytes of weights that a decode step reads: all tensors but the embedding, of which it reads one
 * row.
 */
export function ggufBytesPerToken(config: Record<string, unknown>, types: GgufTypes): number {
  const read = llamaTensors(config, types).filter(({ name }) => name !== "token_embd.weight");
  const sizes = read.map(({ type, shape }) => ggmlBytes(type, elementCount(shape)));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

function llamaMetadata(
  config: Record<string, unknown>,
  types: GgufTypes,
): Record<string, GgufValue> {
  const shape = readModelConfig(config);
  const u32 = (value: number): GgufValue => ({ type: "u32", value });
  const f32 = (value: number): GgufValue => ({ type: "f32", value });
  const text = (value: string): GgufValue => ({ type: "string", value });
  return {
    "general.architecture": text("llama"),
    "general.name": text("random"),
    "general.file_type": u32(fileTypes[types.weights]),
    "general.quantization_version": u32(2),
    "llama.block_count": u32(shape.layers.length),
    "llama.context_length": u32(shape.contextLength),
    "llama.embedding_length": u32(shape.hiddenSize),
    "llama.feed_forward_length": u32(shape.intermediateSize),
    "llama.attention.head_count": u32(shape.heads),
    "llama.attention.head_count_kv": u32(shape.kvHeads),
    "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
    "llama.rope.freq_base": f32(10000),
    "llama.rope.dimension_count": u32(shape.headDim),
    "llama.vocab_size": u32(shape.vocabularySize),
    ...tokenizerMetadata(shape.vocabularySize),
  };
}

function tokenizerMetadata(count: number): Record<string, GgufValue> {
  const special = ["<unk>", "<s>", "</s>"];
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const words = Array.from({ length: count - 259 }, (_, i) => `▁w${i}`);
  const tokens = [...special, ...bytes, ...words];
  const [unknown, control, normal, byte] = [2, 3, 1, 6];
  return {
    "tokenizer.ggml.model": { type: "string", value: "llama" },
    "tokenizer.ggml.pre": { type: "string", value: "default" },
    "tokenizer.ggml.tokens": { type: "string[]", value: tokens },
    "tokenizer.ggml.scores": { type: "f32[]", value: tokens.map((_, i) => (i < 259 ? 0 : -i)) },
    "tokenizer.ggml.token_type": {
      type: "i32[]",
      value: [unknown, control, control, ...bytes.map(() => byte), ...words.map(() => normal)],
    },
    "tokenizer.ggml.unknown_token_id": { type: "u32", value: 0 },
    "tokenizer.ggml.bos_token_id": { type: "u32", value: 1 },
    "tokenizer.ggml.eos_token_id": { type: "u32", value: 2 },
    "tokenizer.ggml.add_bos_token": { type: "bool", value: false },
  };
}

function llamaTensors(config: Record<string, unknown>, types: GgufTypes): GgufTensor[] {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, layers, vocabularySize } =
    readModelConfig(config);
  const norm = (name: string): GgufTensor => ({ name, type: "F32", shape: [hiddenSize] });
  const matrix = (
    name: string,
    rows: number,
    columns: number,
    type = types.weights,
  ): GgufTensor => ({ name: `${name}.weight`, type, shape: [rows, columns] });
  const typeOf = (layer: number): GgmlType =>
    types.more && hasMoreBits(layer, layers.length) ? types.more : types.weights;
  const blocks = Array.from({ length: layers.length }, (_, i) => [
    norm(`blk.${i}.attn_norm.weight`),
    matrix(`blk.${i}.attn_q`, heads * headDim, hiddenSize),
    matrix(`blk.${i}.attn_k`, kvHeads * headDim, hiddenSize),
    matrix(`blk.${i}.attn_v`, kvHeads * headDim, hiddenSize, typeOf(i)),
    matrix(`blk.${i}.attn_output`, hiddenSize, heads * headDim),
    norm(`blk.${i}.ffn_norm.weight`),
    matrix(`blk.${i}.ffn_gate`, intermediateSize, hiddenSize),
    matrix(`blk.${i}.ffn_up`, intermediateSize, hiddenSize),
    matrix(`blk.${i}.ffn_down`, hiddenSize, intermediateSize, typeOf(i)),
  ]);
  return [
    matrix("token_embd", vocabularySize, hiddenSize),
    ...blocks.flat(),
    norm("output_norm.weight"),
    matrix("output", vocabularySize, hiddenSize, types.head),
  ];
}

/** The blocks that mixtures such as Q4_K_M give more bits: the first and last, and every third. */
function hasMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  if (layer < eighth || layer >= Math.floor((7 * layers) / 8)) return true;
  return (layer - eighth) % 3 === 2;
}
