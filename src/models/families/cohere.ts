import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { biasesOf, decoderConfig, fullLayers } from "../decoder-config.ts";
import { headNormNames, llamaNames } from "../decoder-names.ts";

/**
 * Command-R: attention and a gated MLP read the block's input side by side through one LayerNorm
 * without bias; neighbouring channels are rotated together; logits have a factor. Command-R+
 * normalises each head of queries and keys, with weights of its own.
 */
export const cohere = defineFamily({
  modelType: "cohere",
  title: "Cohere",
  hasWindows: false,
  gguf: {
    architecture: "command-r",
    permuted: false,
    layerNormEps: "layer_norm_eps",
    // llama.cpp takes models of so many blocks for Command-R+.
    means: ({ blocks }) => ({ hidden_act: "silu", use_qk_norm: blocks >= 64 }),
    keys: [
      { key: "logit_scale", field: "logit_scale", of: ({ multipliers }) => multipliers.logits },
    ],
    tied: true,
    biases: false,
    wholeHeads: true,
  },
  own: z.object({
    layer_norm_eps: z.number().nonnegative().default(1e-5),
    logit_scale: z.number().positive().default(0.0625),
    use_qk_norm: z.boolean().nullish(),
  }),
  configure: (fields, own) =>
    decoderConfig(fields, {
      names: {
        ...llamaNames,
        norms: { attention: "input_layernorm", ...(own.use_qk_norm && headNormNames) },
      },
      headNorms: "own",
      norm: { kind: "layer", eps: own.layer_norm_eps },
      biases: { ...biasesOf(fields), mlp: false },
      multipliers: { logits: own.logit_scale },
      parallel: true,
      layers: fullLayers(fields),
      defaults: {
        contextLength: 8192,
        ropeTheta: 500_000,
        interleaved: true,
        tiedEmbeddings: true,
      },
    }),
});
