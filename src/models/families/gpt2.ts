import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig, fullLayers, multiHead } from "../decoder-config.ts";
import type { DecoderNames } from "../decoder-names.ts";

const names: DecoderNames = {
  blocks: "transformer.h",
  slots: {
    queryKeyValue: "attn.c_attn",
    output: "attn.c_proj",
    up: "mlp.c_fc",
    down: "mlp.c_proj",
  },
  norms: { attention: "ln_1", mlp: "ln_2" },
  embedding: "transformer.wte",
  positions: "transformer.wpe",
  projectIn: null,
  projectOut: null,
  norm: "transformer.ln_f",
  head: "lm_head",
  base: "transformer.",
};

/**
 * GPT-2: LayerNorm, learned positions, one matrix for queries, keys and values, GELU, biases; its
 * matrices are stored as `[in, out]`.
 */
export const gpt2 = defineFamily({
  modelType: "gpt2",
  title: "GPT-2",
  hasWindows: false,
  gguf: {
    architecture: "gpt2",
    className: "GPT2LMHeadModel",
    permuted: false,
    layerNormEps: "layer_norm_epsilon",
    means: () => ({ hidden_act: "gelu_new" }),
    biases: true,
    wholeHeads: true,
  },
  aliases: {
    hidden_size: "n_embd",
    num_hidden_layers: "n_layer",
    num_attention_heads: "n_head",
    max_position_embeddings: "n_positions",
    intermediate_size: "n_inner",
    hidden_act: "activation_function",
  },
  own: z.object({
    layer_norm_epsilon: z.number().nonnegative().default(1e-5),
    scale_attn_weights: z.boolean().default(true),
  }),
  only: { scale_attn_by_inverse_layer_idx: [false], add_cross_attention: [false] },
  ignores: ["n_ctx", "reorder_and_upcast_attn"],
  configure(fields, own) {
    const contextLength = fields.max_position_embeddings ?? 1024;
    return decoderConfig(multiHead(fields), {
      names,
      norm: { kind: "layer", bias: true, eps: own.layer_norm_epsilon },
      biases: { qkv: true, output: true, mlp: true },
      positions: { rows: contextLength, first: 0 },
      storedTransposed: true,
      ...(own.scale_attn_weights ? {} : { attentionScale: 1 }),
      layers: fullLayers(fields, false),
      defaults: {
        contextLength,
        intermediateSize: 4 * fields.hidden_size,
        tiedEmbeddings: true,
        activation: "gelu_new",
      },
    });
  },
});
