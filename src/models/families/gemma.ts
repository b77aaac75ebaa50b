import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { biasesOf, decoderConfig, type DecoderTraits, fullLayers } from "../decoder-config.ts";
import type { DecoderFields } from "../decoder-fields.ts";

/**
 * What all Gemmas have: norms that are stored less 1, and embeddings times the root of their width.
 */
export function gemmaTraits(fields: DecoderFields) {
  return {
    norm: { offset: 1 },
    biases: { ...biasesOf(fields), mlp: false },
    multipliers: { embedding: Math.sqrt(fields.hidden_size) },
  } satisfies Partial<DecoderTraits>;
}

/** What the configs of all Gemmas mean where they leave a field out. */
export const gemmaDefaults = {
  headDim: 256,
  contextLength: 8192,
  tiedEmbeddings: true,
  activation: "gelu_pytorch_tanh",
} satisfies DecoderTraits["defaults"];

/**
 * Gemma: a Llama with norms of 1 + w, scaled embeddings and GeGLU (paper: arXiv 2403.08295). Its
 * `hidden_act` "gelu" stands for the approximation, as in transformers.
 */
export const gemma = defineFamily({
  modelType: "gemma",
  title: "Gemma",
  hasWindows: false,
  gguf: {
    architecture: "gemma",
    permuted: false,
    means: () => ({ hidden_act: "gelu_pytorch_tanh", hidden_activation: "gelu_pytorch_tanh" }),
    tied: true,
    biases: false,
  },
  own: z.object({ hidden_activation: z.string().nullish() }),
  only: { use_bidirectional_attention: [false, null] },
  configure(fields, own) {
    const stated = fields.hidden_act ?? own.hidden_activation ?? "gelu";
    const hidden_act = stated === "gelu" ? "gelu_pytorch_tanh" : stated;
    return decoderConfig(
      { ...fields, hidden_act },
      {
        ...gemmaTraits(fields),
        layers: fullLayers(fields),
        defaults: { ...gemmaDefaults, kvHeads: 16 },
      },
    );
  },
});
