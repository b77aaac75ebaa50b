import type { Architecture } from "./architecture.ts";
import { decoderConfig, uniformLayers } from "./decoder-config.ts";

/**
 * Mistral: Llama with a sliding window in every block (paper: arXiv 2310.06825). A null
 * `sliding_window` means none; where the field is missing it is 4096, as transformers has it.
 */
export const mistral: Architecture = {
  modelType: "mistral",
  title: "Mistral",
  configure: (fields) =>
    decoderConfig(fields, {
      biases: { qkv: false, output: false, mlp: false },
      headNorms: false,
      layers: uniformLayers(
        fields,
        fields.sliding_window === undefined ? 4096 : fields.sliding_window,
      ),
      defaults: { kvHeads: 8, contextLength: 131_072 },
    }),
};
