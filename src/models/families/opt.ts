import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig, fullLayers, multiHead } from "../decoder-config.ts";
import type { DecoderNames } from "../decoder-names.ts";

const normsBefore = { attention: "self_attn_layer_norm", mlp: "final_layer_norm" };
const normsBehind = { attentionStream: "self_attn_layer_norm", mlpStream: "final_layer_norm" };

const names: DecoderNames = {
  blocks: "model.decoder.layers",
  slots: {
    query: "self_attn.q_proj",
    key: "self_attn.k_proj",
    value: "self_attn.v_proj",
    output: "self_attn.out_proj",
    up: "fc1",
    down: "fc2",
  },
  norms: normsBefore,
  embedding: "model.decoder.embed_tokens",
  positions: "model.decoder.embed_positions",
  projectIn: null,
  projectOut: null,
  norm: "model.decoder.final_layer_norm",
  head: "lm_head",
  base: "model.",
};

/**
 * OPT (paper: arXiv 2205.01068): LayerNorm, learned positions of which the first stands in row 2,
 * biases and a relu. OPT-350M normalises behind attention and MLP (`do_layer_norm_before` false),
 * and its embedding is narrower than its blocks (`word_embed_proj_dim`).
 */
export const opt = defineFamily({
  modelType: "opt",
  title: "OPT",
  hasWindows: false,
  gguf: null,
  aliases: { intermediate_size: "ffn_dim", hidden_act: "activation_function" },
  own: z.object({
    do_layer_norm_before: z.boolean().default(true),
    _remove_final_layer_norm: z.boolean().default(false),
    word_embed_proj_dim: z.int().positive().nullish(),
    enable_bias: z.boolean().default(true),
  }),
  only: { layer_norm_elementwise_affine: [true] },
  configure(fields, own) {
    const { do_layer_norm_before: before, enable_bias: bias } = own;
    const embeddingSize = own.word_embed_proj_dim ?? fields.hidden_size;
    const isNarrow = embeddingSize !== fields.hidden_size;
    const contextLength = fields.max_position_embeddings ?? 2048;
    return decoderConfig(multiHead(fields), {
      names: {
        ...names,
        norms: before ? normsBefore : normsBehind,
        norm: before && !own._remove_final_layer_norm ? names.norm : null,
        projectIn: isNarrow ? "model.decoder.project_in" : null,
        projectOut: isNarrow ? "model.decoder.project_out" : null,
      },
      norm: { kind: "layer", bias: true, eps: 1e-5 },
      embeddingSize,
      biases: { qkv: bias, output: bias, mlp: bias },
      positions: { rows: contextLength + 2, first: 2 },
      layers: fullLayers(fields, false),
      defaults: { intermediateSize: 3072, tiedEmbeddings: true, activation: "relu" },
    });
  },
});
