import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig, fullLayers, wholeHeads } from "../decoder-config.ts";
import { llamaNames } from "../decoder-names.ts";

const headNorms = {
  query: "self_attn.q_layernorm.norms",
  key: "self_attn.k_layernorm.norms",
} as const;

/**
 * StableLM (paper: arXiv 2402.17834): a Llama with LayerNorms, of which a quarter
 * of each head is rotated. That of 12 B normalises each head of queries and keys with weights of its
 * own, and has attention and MLP side by side behind one norm.
 */
export const stablelm = defineFamily({
  modelType: "stablelm",
  title: "StableLM",
  hasWindows: false,
  gguf: {
    architecture: "stablelm",
    className: "StableLmForCausalLM",
    permuted: false,
    layerNormEps: "layer_norm_eps",
    // llama.cpp goes by the tensors: its converter says that models are parallel that are not.
    means: ({ has }) => ({
      hidden_act: "silu",
      qk_layernorm: has("blk.0.attn_q_norm.weight"),
      use_parallel_residual: !has("blk.0.ffn_norm.weight"),
    }),
    partlyRotated: true,
    tied: false,
    wholeHeads: true,
  },
  aliases: { attention_bias: "use_qkv_bias" },
  own: z.object({
    layer_norm_eps: z.number().nonnegative().default(1e-5),
    qk_layernorm: z.boolean().default(false),
    use_parallel_residual: z.boolean().default(false),
  }),
  configure(stated, own) {
    const fields = wholeHeads(stated);
    const inBlocks = own.use_parallel_residual
      ? { attention: "input_layernorm" }
      : llamaNames.norms;
    return decoderConfig(fields, {
      names: { ...llamaNames, norms: { ...inBlocks, ...(own.qk_layernorm && headNorms) } },
      headNorms: "apart",
      norm: { kind: "layer", bias: true, eps: own.layer_norm_eps },
      biases: { qkv: fields.attention_bias ?? false },
      parallel: own.use_parallel_residual,
      layers: fullLayers(fields),
      defaults: {
        rotatedShare: 0.25,
        contextLength: 4096,
        kvHeads: 32,
        intermediateSize: 6912,
      },
    });
  },
});
