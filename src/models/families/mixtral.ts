import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig } from "../decoder-config.ts";
import { count } from "../decoder-fields.ts";
import { llamaNames } from "../decoder-names.ts";
import { expectExperts } from "../expert-config.ts";
import { layerWindows } from "../layer-windows.ts";
import { llamaGguf } from "./llama.ts";

/** Mixtral (paper: arXiv 2401.04088): a Mistral with experts in the place of every MLP. */
export const mixtral = defineFamily({
  modelType: "mixtral",
  title: "Mixtral",
  hasWindows: true,
  gguf: {
    ...llamaGguf,
    experts: {
      count: "num_local_experts",
      used: "num_experts_per_tok",
      width: "intermediate_size",
    },
  },
  own: z.object({ num_local_experts: count.default(8), num_experts_per_tok: count.default(2) }),
  ignores: ["router_aux_loss_coef", "router_jitter_noise"],
  configure(fields, own) {
    const windows = layerWindows(fields, {
      window: fields.sliding_window ?? null,
      slides: () => (fields.sliding_window ?? null) !== null,
    });
    return decoderConfig(fields, {
      names: {
        ...llamaNames,
        experts: {
          router: "block_sparse_moe.gate",
          experts: "block_sparse_moe.experts",
          layers: { gate: "w1", up: "w3", down: "w2" },
        },
      },
      norm: { eps: fields.rms_norm_eps ?? 1e-5 },
      layers: windows.map((window) => ({ rope: true, window, sparse: true })),
      experts: expectExperts({
        count: own.num_local_experts,
        used: own.num_experts_per_tok,
        intermediateSize: fields.intermediate_size ?? 14_336,
        sharedSize: null,
        normalized: true,
      }),
      defaults: { kvHeads: 8, contextLength: 131_072, intermediateSize: 14_336, ropeTheta: 1e6 },
    });
  },
});
