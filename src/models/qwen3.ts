import type { Architecture } from "./architecture.ts";
import { decoderConfig, layerWindows } from "./decoder-config.ts";

/** Qwen3: an RMSNorm on each head of queries and keys, and a head width of its own. */
export const qwen3: Architecture = {
  modelType: "qwen3",
  title: "Qwen3",
  configure(fields) {
    const firstSliding = fields.max_window_layers ?? 28;
    const windows = layerWindows(fields, (index) => index >= firstSliding);
    return decoderConfig(fields, {
      biases: { qkv: fields.attention_bias, output: fields.attention_bias, mlp: false },
      headNorms: true,
      layers: windows.map((window) => ({ rope: true, window })),
      defaults: { headDim: 128, contextLength: 32_768 },
    });
  },
};
