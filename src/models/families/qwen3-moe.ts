import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { biasesOf, decoderConfig } from "../decoder-config.ts";
import { count } from "../decoder-fields.ts";
import { qwen3Names } from "../decoder-names.ts";
import { expectExperts, qwenExpertNames, sparseFields, sparseLayers } from "../expert-config.ts";

/** Qwen3-MoE (paper: arXiv 2505.09388): Qwen3 with experts in some blocks, mostly in all. */
export const qwen3Moe = defineFamily({
  modelType: "qwen3_moe",
  title: "Qwen3-MoE",
  hasWindows: true,
  gguf: {
    architecture: "qwen3moe",
    className: "Qwen3MoeForCausalLM",
    permuted: false,
    means: () => ({ hidden_act: "silu", norm_topk_prob: true }),
    experts: {
      count: "num_experts",
      used: "num_experts_per_tok",
      width: "moe_intermediate_size",
    },
    biases: false,
  },
  own: z.object({
    ...sparseFields,
    num_experts: count.optional(),
    num_local_experts: count.optional(),
    num_experts_per_tok: count.default(8),
    moe_intermediate_size: count.default(768),
    norm_topk_prob: z.boolean().default(false),
  }),
  ignores: ["router_aux_loss_coef"],
  configure(fields, own) {
    const window = fields.use_sliding_window ? (fields.sliding_window ?? 4096) : null;
    const layers = Array.from({ length: fields.num_hidden_layers }, () => ({
      rope: true,
      window,
    }));
    return decoderConfig(fields, {
      biases: { ...biasesOf(fields), mlp: false },
      names: { ...qwen3Names, experts: qwenExpertNames },
      layers: sparseLayers(layers, own),
      experts: expectExperts({
        count: own.num_experts ?? own.num_local_experts ?? 128,
        used: own.num_experts_per_tok,
        intermediateSize: own.moe_intermediate_size,
        sharedSize: null,
        normalized: own.norm_topk_prob,
      }),
      defaults: { kvHeads: 4, contextLength: 32_768, intermediateSize: 6144 },
    });
  },
});
