import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig, fullLayers } from "../decoder-config.ts";
import { type DecoderNames, llamaNames } from "../decoder-names.ts";

const names: DecoderNames = {
  ...llamaNames,
  slots: {
    query: "self_attn.q_proj",
    key: "self_attn.k_proj",
    value: "self_attn.v_proj",
    output: "self_attn.dense",
    up: "mlp.fc1",
    down: "mlp.fc2",
  },
  norms: { attention: "input_layernorm" },
  norm: "model.final_layernorm",
};

/**
 * Phi-1, Phi-1.5 and Phi-2 (paper: arXiv 2309.05463): attention and MLP read the block's input side
 * by side through one LayerNorm; biases everywhere; half of each head is rotated.
 */
export const phi = defineFamily({
  modelType: "phi",
  title: "Phi",
  hasWindows: false,
  gguf: {
    architecture: "phi2",
    permuted: false,
    layerNormEps: "layer_norm_eps",
    means: () => ({ hidden_act: "gelu_new" }),
    partlyRotated: true,
    tied: false,
    biases: true,
    wholeHeads: true,
  },
  own: z.object({
    layer_norm_eps: z.number().nonnegative().default(1e-5),
    qk_layernorm: z.boolean().default(false),
  }),
  configure(fields, own) {
    const headNorms = { query: "self_attn.q_layernorm", key: "self_attn.k_layernorm" };
    return decoderConfig(fields, {
      names: { ...names, norms: { ...names.norms, ...(own.qk_layernorm && headNorms) } },
      norm: { kind: "layer", bias: true, eps: own.layer_norm_eps },
      biases: { qkv: true, output: true, mlp: true, head: true },
      parallel: true,
      layers: fullLayers(fields),
      defaults: { rotatedShare: 0.5, activation: "gelu_new" },
    });
  },
});
