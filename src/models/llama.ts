import type { Architecture } from "./architecture.ts";
import { decoderConfig, uniformLayers } from "./decoder-config.ts";

/** Llama 1, 2 and 3.x, and what took over their shape: SmolLM, SmolLM2, TinyLlama. */
export const llama: Architecture = {
  modelType: "llama",
  title: "Llama",
  configure: (fields) =>
    decoderConfig(fields, {
      biases: {
        qkv: fields.attention_bias,
        output: fields.attention_bias,
        mlp: fields.mlp_bias,
      },
      headNorms: false,
      layers: uniformLayers(fields),
    }),
};
