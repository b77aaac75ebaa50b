import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { biasesOf, decoderConfig, fullLayers } from "../decoder-config.ts";
import { headNormNames, llamaNames } from "../decoder-names.ts";

/**
 * OLMo 2 (paper: arXiv 2501.00656): a Llama that normalises what attention and MLP give, not what
 * they read, and queries and keys over all heads together.
 */
export const olmo2 = defineFamily({
  modelType: "olmo2",
  title: "OLMo 2",
  hasWindows: false,
  gguf: {
    architecture: "olmo2",
    className: "Olmo2ForCausalLM",
    permuted: false,
    tied: false,
    biases: false,
    wholeHeads: true,
  },
  own: z.object({}),
  configure: (fields) =>
    decoderConfig(fields, {
      names: {
        ...llamaNames,
        norms: {
          attentionOutput: "post_attention_layernorm",
          mlpOutput: "post_feedforward_layernorm",
          ...headNormNames,
        },
      },
      norm: { eps: fields.rms_norm_eps ?? 1e-5 },
      headNorms: "all",
      biases: { ...biasesOf(fields), mlp: false },
      layers: fullLayers(fields),
    }),
});
