import type { Architecture } from "./architecture.ts";
import { biasesOf, decoderConfig, uniformLayers } from "./decoder-config.ts";

/** Llama 1, 2 and 3.x, and what took over their shape: SmolLM, SmolLM2, TinyLlama. */
export const llama: Architecture = {
  modelType: "llama",
  title: "Llama",
  configure: (fields) =>
    decoderConfig(fields, {
      biases: biasesOf(fields),
      headNorms: false,
      layers: uniformLayers(fields),
    }),
};
