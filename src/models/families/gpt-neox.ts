import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig, fullLayers, multiHead } from "../decoder-config.ts";
import type { DecoderNames } from "../decoder-names.ts";

const names: DecoderNames = {
  blocks: "gpt_neox.layers",
  slots: {
    queryKeyValue: "attention.query_key_value",
    output: "attention.dense",
    up: "mlp.dense_h_to_4h",
    down: "mlp.dense_4h_to_h",
  },
  norms: { attention: "input_layernorm", mlp: "post_attention_layernorm" },
  embedding: "gpt_neox.embed_in",
  positions: null,
  projectIn: null,
  projectOut: null,
  norm: "gpt_neox.final_layer_norm",
  head: "embed_out",
  base: "gpt_neox.",
};

/**
 * GPT-NeoX and Pythia (papers: arXiv 2204.06745, 2304.01373): attention and MLP read the block's
 * input side by side, each through a LayerNorm; one matrix holds query, key and value of each head;
 * a quarter of each head is rotated.
 */
export const gptNeox = defineFamily({
  modelType: "gpt_neox",
  title: "GPT-NeoX",
  hasWindows: false,
  gguf: {
    architecture: "gptneox",
    className: "GPTNeoXForCausalLM",
    permuted: false,
    layerNormEps: "layer_norm_eps",
    means: () => ({ hidden_act: "gelu" }),
    keys: [{ key: "use_parallel_residual", field: "use_parallel_residual", of: (c) => c.parallel }],
    partlyRotated: true,
    tied: false,
    biases: true,
    wholeHeads: true,
    notices: ["llama.cpp takes the approximation of GELU by tanh, the model GELU itself"],
  },
  aliases: { partial_rotary_factor: "rotary_pct", rope_theta: "rotary_emb_base" },
  own: z.object({
    layer_norm_eps: z.number().nonnegative().default(1e-5),
    use_parallel_residual: z.boolean().default(true),
  }),
  configure(fields, own) {
    const { attention_bias: bias = true } = fields;
    return decoderConfig(multiHead(fields), {
      names,
      norm: { kind: "layer", bias: true, eps: own.layer_norm_eps },
      biases: { qkv: bias, output: bias, mlp: true },
      joined: "heads",
      parallel: own.use_parallel_residual,
      layers: fullLayers(fields),
      defaults: { rotatedShare: 0.25, activation: "gelu" },
    });
  },
});
