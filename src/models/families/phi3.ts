import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig } from "../decoder-config.ts";
import { type DecoderNames, llamaNames } from "../decoder-names.ts";
import { layerWindows } from "../layer-windows.ts";

const names: DecoderNames = {
  ...llamaNames,
  slots: {
    queryKeyValue: "self_attn.qkv_proj",
    output: "self_attn.o_proj",
    gateUp: "mlp.gate_up_proj",
    down: "mlp.down_proj",
  },
};

/**
 * Phi-3, Phi-3.5 and Phi-4 (paper: arXiv 2404.14219): a Llama with one matrix for queries, keys and
 * values, and one for gate and up. Long contexts are reached by LongRoPE, which earlier configs
 * call "su" or "yarn"; Phi-4-mini rotates three quarters of each head.
 */
export const phi3 = defineFamily({
  modelType: "phi3",
  title: "Phi-3",
  hasWindows: true,
  gguf: {
    architecture: "phi3",
    className: "Phi3ForCausalLM",
    permuted: false,
    scalings: ["linear", "longrope"],
    biases: false,
    wholeHeads: true,
  },
  own: z.object({}),
  only: { attention_bias: [false], lm_head_bias: [false], mlp_bias: [false] },
  ignores: ["full_attn_mod", "interpolate_factor"],
  configure(fields) {
    const window = fields.sliding_window ?? null;
    const windows = layerWindows(
      { ...fields, layer_types: null },
      { window, slides: () => window !== null },
    );
    // That of the config counts, its default too, not one that stands with the factors.
    const { original_max_position_embeddings: original = 4096 } = fields;
    const stated = { ...fields, original_max_position_embeddings: original };
    return decoderConfig(stated, {
      names,
      norm: { eps: fields.rms_norm_eps ?? 1e-5 },
      layers: windows.map((window) => ({ rope: true, window })),
      defaults: {
        contextLength: 4096,
        rotatedShare: 1,
        ropeTypes: { su: "longrope", yarn: "longrope" },
      },
    });
  },
});
