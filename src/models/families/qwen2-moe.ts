import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig } from "../decoder-config.ts";
import { count } from "../decoder-fields.ts";
import { llamaNames } from "../decoder-names.ts";
import { expectExperts, sharedExpertNames, sparseFields, sparseLayers } from "../expert-config.ts";
import { layerWindows } from "../layer-windows.ts";

/**
 * Qwen1.5-MoE and Qwen2-MoE (paper: arXiv 2407.10671): Qwen2 with experts, and an MLP beside them
 * that every token goes to, as much of it as a gate lets through.
 */
export const qwen2Moe = defineFamily({
  modelType: "qwen2_moe",
  title: "Qwen2-MoE",
  hasWindows: true,
  gguf: {
    architecture: "qwen2moe",
    className: "Qwen2MoeForCausalLM",
    permuted: false,
    means: ({ has }) => ({
      hidden_act: "silu",
      norm_topk_prob: false,
      qkv_bias: has("blk.0.attn_q.bias"),
    }),
    experts: {
      count: "num_experts",
      used: "num_experts_per_tok",
      width: "moe_intermediate_size",
      shared: "shared_expert_intermediate_size",
    },
    tied: false,
    wholeHeads: true,
  },
  own: z.object({
    ...sparseFields,
    num_experts: count.default(60),
    num_experts_per_tok: count.default(4),
    moe_intermediate_size: count.default(1408),
    shared_expert_intermediate_size: count.default(5632),
    norm_topk_prob: z.boolean().default(false),
    qkv_bias: z.boolean().default(true),
  }),
  ignores: ["router_aux_loss_coef"],
  configure(fields, own) {
    const slides = fields.use_sliding_window;
    const firstWhole = fields.max_window_layers ?? 28;
    // As transformers has it: every other block in front of `max_window_layers`.
    const windows = layerWindows(fields, {
      window: slides ? (fields.sliding_window ?? 4096) : null,
      slides: (index) => slides && index % 2 === 0 && index < firstWhole,
    });
    return decoderConfig(fields, {
      biases: { qkv: own.qkv_bias },
      names: { ...llamaNames, experts: sharedExpertNames },
      layers: sparseLayers(
        windows.map((window) => ({ rope: true, window })),
        own,
      ),
      experts: expectExperts({
        count: own.num_experts,
        used: own.num_experts_per_tok,
        intermediateSize: own.moe_intermediate_size,
        sharedSize: own.shared_expert_intermediate_size,
        normalized: own.norm_topk_prob,
      }),
      defaults: { kvHeads: 16, contextLength: 32_768, intermediateSize: 5632 },
    });
  },
});
