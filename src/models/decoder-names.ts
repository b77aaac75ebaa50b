import type { ExpertNames } from "./expert-config.ts";

/** Linear layers of a block. `queryKeyValue` and `gateUp` stand for several that are one matrix. */
export type SlotKey =
  | "query"
  | "key"
  | "value"
  | "queryKeyValue"
  | "output"
  | "gate"
  | "up"
  | "gateUp"
  | "down";

/**
 * Norms of a block. `attention` and `mlp` are of what these read, `query` and `key` of what their
 * projections give, `attentionOutput` and `mlpOutput` of what is added to the residual stream,
 * `attentionStream` and `mlpStream` of the stream after that.
 */
export type NormKey =
  | "attention"
  | "mlp"
  | "query"
  | "key"
  | "attentionOutput"
  | "mlpOutput"
  | "attentionStream"
  | "mlpStream";

/**
 * What a decoder is made of, by its names in Hugging Face checkpoints. A block has the layers and
 * norms that are named here, and no others.
 */
export interface DecoderNames {
  /** In front of the names of blocks: block i is `blocks.i`. */
  readonly blocks: string;
  /** Linear layers, by names below the block. */
  readonly slots: Readonly<Partial<Record<SlotKey, string>>>;
  /** Parts of blocks that are mixtures of experts; absent where no block is one. */
  readonly experts?: ExpertNames;
  /** Norms, by names below the block. */
  readonly norms: Readonly<Partial<Record<NormKey, string>>>;
  readonly embedding: string;
  /** Table of learned positions; null where there is none. */
  readonly positions: string | null;
  /** Linear layers between a narrower embedding and the blocks, and behind them; null without. */
  readonly projectIn: string | null;
  readonly projectOut: string | null;
  /** The norm behind all blocks; null where there is none. */
  readonly norm: string | null;
  readonly head: string;
  /** What names begin with that checkpoints of the base model, which has no head, leave out. */
  readonly base: string;
}

/** Names of Llama, and of most that came after it. */
export const llamaNames: DecoderNames = {
  blocks: "model.layers",
  slots: {
    query: "self_attn.q_proj",
    key: "self_attn.k_proj",
    value: "self_attn.v_proj",
    output: "self_attn.o_proj",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    down: "mlp.down_proj",
  },
  norms: { attention: "input_layernorm", mlp: "post_attention_layernorm" },
  embedding: "model.embed_tokens",
  positions: null,
  projectIn: null,
  projectOut: null,
  norm: "model.norm",
  head: "lm_head",
  base: "model.",
};

/** Norms of each head of queries and keys, by their usual names. */
export const headNormNames = { query: "self_attn.q_norm", key: "self_attn.k_norm" } as const;

/** Llama's names, with norms of queries and keys. */
export const qwen3Names: DecoderNames = {
  ...llamaNames,
  norms: { ...llamaNames.norms, ...headNormNames },
};
