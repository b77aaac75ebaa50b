import { UnsupportedError } from "../../util/errors.ts";
import type { JsonRecord } from "../../util/json.ts";
import type { GgufFamily, GgufModelSource } from "./gguf-family.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";
import { ropeFields } from "./rope-fields.ts";

/**
 * Writes what a GGUF file says of its model as the config.json of a Hugging Face checkpoint. Fields
 * that llama.cpp does without have its defaults.
 * @throws FormatError when a key is missing or of another type
 * @throws UnsupportedError for heads whose keys and values have other widths
 */
export function ggufModelConfig(source: GgufModelSource): JsonRecord {
  const { metadata, family, tensors } = source;
  const { architecture, className = `${family.title}ForCausalLM` } = family.gguf;
  const at = (key: string) => `${architecture}.${key}`;
  const needed = (key: string): number => metadata.count(at(key)) ?? metadata.missing(at(key));
  const hiddenSize = needed("embedding_length");
  const heads = needed("attention.head_count");
  const headDim = headDimOf(metadata, at, hiddenSize, heads);
  const has = (name: string): boolean => tensors.has(name);
  const blocks = needed("block_count");
  const { means = () => ({ hidden_act: "silu" }), keys = [] } = family.gguf;
  return inOwnNames(family, {
    architectures: [className],
    model_type: family.modelType,
    hidden_size: hiddenSize,
    intermediate_size: needed("feed_forward_length"),
    num_hidden_layers: blocks,
    num_attention_heads: heads,
    num_key_value_heads: metadata.count(at("attention.head_count_kv")) ?? heads,
    head_dim: headDim,
    vocab_size: vocabularySize(source, at("vocab_size")),
    max_position_embeddings: needed("context_length"),
    ...normEps(metadata, family, at),
    ...means({ blocks, hiddenSize, heads, headDim, has }),
    tie_word_embeddings: !has("output.weight"),
    attention_bias: has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias"),
    mlp_bias: has("blk.0.ffn_up.bias"),
    ...ropeFields(source, headDim),
    ...windowFields(metadata, family, at, blocks),
    ...expertFields(source, at),
    ...Object.fromEntries(keys.flatMap(({ key, field }) => statedField(metadata, at(key), field))),
    ...tokenFields(metadata),
  });
}

/** Fields by the names that the family has for them. */
function inOwnNames({ aliases = {} }: GgufFamily, fields: JsonRecord): JsonRecord {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [aliases[name] ?? name, value]),
  );
}

function normEps(
  metadata: GgufMetadata,
  { gguf: { layerNormEps } }: GgufFamily,
  at: (key: string) => string,
): JsonRecord {
  const key = at(`attention.layer_norm_${layerNormEps === undefined ? "rms_" : ""}epsilon`);
  return { [layerNormEps ?? "rms_norm_eps"]: metadata.number(key) ?? metadata.missing(key) };
}

function statedField(metadata: GgufMetadata, key: string, field: string): [string, unknown][] {
  const isFlag = metadata.entries.get(key)?.type === "bool";
  const value = isFlag ? metadata.boolean(key) : metadata.number(key);
  return value === null ? [] : [[field, value]];
}

/** What a mixture is made of; widths that no key states are those of the tensors. */
function expertFields(
  { metadata, family, tensors }: GgufModelSource,
  at: (key: string) => string,
): JsonRecord {
  const { experts } = family.gguf;
  if (!experts) return {};
  const needed = (key: string): number => metadata.count(at(key)) ?? metadata.missing(at(key));
  const width = (key: string, tensor: string): number =>
    metadata.count(at(key)) ?? tensors.get(tensor)?.shape.at(-1) ?? metadata.missing(at(key));
  return {
    [experts.count]: needed("expert_count"),
    [experts.used]: needed("expert_used_count"),
    ...(experts.width !== "intermediate_size" && {
      [experts.width]: width("expert_feed_forward_length", "blk.0.ffn_down_exps.weight"),
    }),
    ...(experts.shared !== undefined && {
      [experts.shared]: width("expert_shared_feed_forward_length", "blk.0.ffn_down_shexp.weight"),
    }),
  };
}

function headDimOf(
  metadata: GgufMetadata,
  at: (key: string) => string,
  hiddenSize: number,
  heads: number,
): number {
  const keys = metadata.count(at("attention.key_length"));
  const values = metadata.count(at("attention.value_length"));
  const whole = heads > 0 ? Math.floor(hiddenSize / heads) : 0;
  const headDim = keys ?? values ?? whole;
  if ((keys ?? headDim) === (values ?? headDim)) return headDim;
  throw new UnsupportedError(
    `${metadata.source}: heads whose keys have ${keys} channels and values ${values} are not ` +
      "supported",
  );
}

/** Rows of the embedding: a vocabulary may be padded beyond its tokens. */
function vocabularySize({ metadata, tensors }: GgufModelSource, key: string): number {
  const rows = tensors.get("token_embd.weight")?.shape[0];
  const stated = metadata.count(key) ?? metadata.arrayLength("tokenizer.ggml.tokens");
  return rows ?? stated ?? metadata.missing(key);
}

function windowFields(
  metadata: GgufMetadata,
  { hasWindows, gguf: { windows } }: GgufFamily,
  at: (key: string) => string,
  blocks: number,
): JsonRecord {
  const window = metadata.count(at("attention.sliding_window"));
  if (windows) {
    const { every, usual } = windows;
    return alternatingWindows(metadata, at, window ?? usual, { blocks, every });
  }
  if (!hasWindows || window === null || window === 0) return {};
  const pattern = metadata.has(at("attention.sliding_window_pattern"))
    ? metadata.numbers(at("attention.sliding_window_pattern"))
    : null;
  const types = pattern && {
    layer_types: Array.from(pattern, (slides) => (slides ? "sliding_attention" : "full_attention")),
  };
  return { sliding_window: window, use_sliding_window: true, max_window_layers: 0, ...types };
}

/** Windows that llama.cpp computes: of blocks by a pattern, or of all but every n-th. */
function alternatingWindows(
  metadata: GgufMetadata,
  at: (key: string) => string,
  window: number | null,
  { blocks, every }: { readonly blocks: number; readonly every: number },
): JsonRecord {
  const key = at("attention.sliding_window_pattern");
  const isList = metadata.entries.get(key)?.type === "array";
  const pattern = isList ? metadata.numbers(key) : null;
  const period = isList ? every : (metadata.count(key) ?? every);
  const slides = (block: number): boolean =>
    pattern ? Boolean(pattern[block]) : period === 0 || block % period < period - 1;
  return {
    ...(window && { sliding_window: window }),
    layer_types: Array.from({ length: blocks }, (_, block) =>
      window && slides(block) ? "sliding_attention" : "full_attention",
    ),
  };
}

function tokenFields(metadata: GgufMetadata): JsonRecord {
  const fields: Record<string, number> = {};
  for (const [field, name] of tokenKeys) {
    const id = metadata.count(`tokenizer.ggml.${name}_token_id`);
    if (id !== null) fields[field] = id;
  }
  return fields;
}

const tokenKeys = [
  ["bos_token_id", "bos"],
  ["eos_token_id", "eos"],
  ["pad_token_id", "padding"],
] as const;
