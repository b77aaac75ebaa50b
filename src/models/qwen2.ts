import type { Architecture } from "./architecture.ts";
import { decoderConfig, layerWindows } from "./decoder-config.ts";

/** Qwen2, Qwen2.5: biases on q, k, v. With `use_sliding_window`, from `max_window_layers` on. */
export const qwen2: Architecture = {
  modelType: "qwen2",
  title: "Qwen2",
  configure(fields) {
    const firstSliding = fields.max_window_layers ?? 28;
    const windows = layerWindows(fields, (index) => index >= firstSliding);
    return decoderConfig(fields, {
      biases: { qkv: true, output: false, mlp: false },
      headNorms: false,
      layers: windows.map((window) => ({ rope: true, window })),
      defaults: { contextLength: 32_768 },
    });
  },
};
