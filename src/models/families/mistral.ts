import type { Architecture } from "../architecture.ts";
import { decoderConfig } from "../decoder-config.ts";
import { layerWindows } from "../layer-windows.ts";
import { llamaGguf } from "./llama.ts";

/**
 * Mistral: Llama with a sliding window in every block (paper: arXiv 2310.06825), or in those that
 * `layer_types` name (Ministral). A null `sliding_window` means none; where the field is missing it
 * is 4096, as transformers has it.
 */
export const mistral: Architecture = {
  modelType: "mistral",
  title: "Mistral",
  hasWindows: true,
  gguf: llamaGguf,
  sizes: {
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 14_336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
  },
  configure(fields) {
    const window = fields.sliding_window === undefined ? 4096 : fields.sliding_window;
    const windows = layerWindows(fields, { window, slides: () => true });
    return decoderConfig(fields, {
      layers: windows.map((window) => ({ rope: true, window })),
      defaults: { kvHeads: 8, contextLength: 131_072 },
    });
  },
};
