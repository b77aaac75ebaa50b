import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { biasesOf, decoderConfig, fullLayers } from "../decoder-config.ts";
import { count } from "../decoder-fields.ts";
import { qwen3Names } from "../decoder-names.ts";
import { expectExperts, qwenExpertNames } from "../expert-config.ts";

/**
 * OLMoE (paper: arXiv 2409.02060): experts in the place of every MLP, and norms of queries and keys
 * over all heads together.
 */
export const olmoe = defineFamily({
  modelType: "olmoe",
  title: "OLMoE",
  hasWindows: false,
  gguf: {
    architecture: "olmoe",
    className: "OlmoeForCausalLM",
    permuted: false,
    means: () => ({ hidden_act: "silu", norm_topk_prob: false }),
    experts: {
      count: "num_experts",
      used: "num_experts_per_tok",
      width: "intermediate_size",
    },
    tied: false,
    biases: false,
    wholeHeads: true,
    ownKeys: true,
  },
  own: z.object({
    num_experts: count.default(64),
    num_experts_per_tok: count.default(8),
    norm_topk_prob: z.boolean().default(false),
  }),
  only: { clip_qkv: [null] },
  ignores: ["router_aux_loss_coef"],
  configure(fields, own) {
    return decoderConfig(fields, {
      biases: { ...biasesOf(fields), mlp: false },
      names: { ...qwen3Names, experts: qwenExpertNames },
      headNorms: "all",
      norm: { eps: fields.rms_norm_eps ?? 1e-5 },
      layers: fullLayers(fields).map((layer) => ({ ...layer, sparse: true })),
      experts: expectExperts({
        count: own.num_experts,
        used: own.num_experts_per_tok,
        intermediateSize: fields.intermediate_size ?? 2048,
        sharedSize: null,
        normalized: own.norm_topk_prob,
      }),
      defaults: { contextLength: 4096, intermediateSize: 2048 },
    });
  },
});
