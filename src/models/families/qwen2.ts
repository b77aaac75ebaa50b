import type { Architecture } from "../architecture.ts";
import { decoderConfig } from "../decoder-config.ts";
import { lateWindows } from "../layer-windows.ts";

/** Qwen2, Qwen2.5: biases on q, k, v. With `use_sliding_window`, from `max_window_layers` on. */
export const qwen2: Architecture = {
  modelType: "qwen2",
  title: "Qwen2",
  hasWindows: true,
  gguf: { architecture: "qwen2", permuted: false },
  sizes: {
    vocab_size: 151_936,
    hidden_size: 4096,
    intermediate_size: 22_016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
  },
  configure: (fields) =>
    decoderConfig(fields, {
      biases: { qkv: true },
      layers: lateWindows(fields).map((window) => ({ rope: true, window })),
      defaults: { kvHeads: 32, contextLength: 32_768 },
    }),
};
