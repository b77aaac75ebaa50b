import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { biasesOf, decoderConfig, expectWholeHeads, fullLayers } from "../decoder-config.ts";

const factor = z.number().positive().default(1);

/** Granite 3: a Llama with factors on embeddings, scores, what blocks add, and logits. */
export const granite = defineFamily({
  modelType: "granite",
  title: "Granite",
  hasWindows: false,
  gguf: {
    architecture: "granite",
    permuted: true,
    keys: [
      { key: "attention.scale", field: "attention_multiplier", of: (c) => c.attentionScale },
      {
        key: "embedding_scale",
        field: "embedding_multiplier",
        of: ({ multipliers }) => multipliers.embedding,
      },
      {
        key: "residual_scale",
        field: "residual_multiplier",
        of: ({ multipliers }) => multipliers.residual,
      },
      {
        key: "logit_scale",
        field: "logits_scaling",
        of: ({ multipliers }) => 1 / multipliers.logits,
      },
    ],
    scalings: ["linear", "yarn", "llama3", "longrope"],
  },
  own: z.object({
    embedding_multiplier: factor,
    attention_multiplier: factor,
    residual_multiplier: factor,
    logits_scaling: factor,
  }),
  configure(fields, own) {
    expectWholeHeads(fields);
    return decoderConfig(fields, {
      biases: biasesOf(fields),
      attentionScale: own.attention_multiplier,
      multipliers: {
        embedding: own.embedding_multiplier,
        residual: own.residual_multiplier,
        logits: 1 / own.logits_scaling,
      },
      layers: fullLayers(fields),
    });
  },
});
