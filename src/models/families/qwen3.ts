import type { Architecture } from "../architecture.ts";
import { biasesOf, decoderConfig } from "../decoder-config.ts";
import { qwen3Names } from "../decoder-names.ts";
import { lateWindows } from "../layer-windows.ts";

/** Qwen3: an RMSNorm on each head of queries and keys, and a head width of its own. */
export const qwen3: Architecture = {
  modelType: "qwen3",
  title: "Qwen3",
  hasWindows: true,
  gguf: { architecture: "qwen3", permuted: false },
  configure: (fields) =>
    decoderConfig(fields, {
      biases: { ...biasesOf(fields), mlp: false },
      names: qwen3Names,
      layers: lateWindows(fields).map((window) => ({ rope: true, window })),
      defaults: { headDim: 128, kvHeads: 32, contextLength: 32_768 },
    }),
};
