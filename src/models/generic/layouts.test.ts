import { expect, test } from "vitest";
import type { Shape } from "../../tensor/shape.ts";
import { readGenericConfig } from "./generic-config.ts";
import { judgeTensors } from "./judge-tensors.ts";

/* Names and proportions of published families, each with what becomes of a tensor: null is a linear layer. */

type Expected = readonly [shape: Shape, reason: string | null];

interface Layout {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, Expected>>;
}

const tower = "tower for images or sound";
const router = "router of experts";

const layouts: Readonly<Record<string, Layout>> = {
  "Mixtral, experts apart": {
    config: { hidden_size: 64, vocab_size: 320, num_local_experts: 8 },
    tensors: {
      "model.embed_tokens.weight": [[320, 64], "embedding"],
      "model.layers.0.self_attn.q_proj.weight": [[64, 64], null],
      "model.layers.0.block_sparse_moe.gate.weight": [[8, 64], router],
      "model.layers.0.block_sparse_moe.experts.7.w1.weight": [[224, 64], null],
      "model.layers.0.block_sparse_moe.experts.7.w2.weight": [[64, 224], null],
      "model.layers.0.input_layernorm.weight": [[64], "vector"],
      "lm_head.weight": [[320, 64], "head"],
    },
  },
  "Granite MoE, experts stacked as [out, in]": {
    config: { hidden_size: 64, vocab_size: 320, num_local_experts: 8 },
    tensors: {
      "model.layers.0.block_sparse_moe.router.layer.weight": [[8, 64], router],
      "model.layers.0.block_sparse_moe.input_linear.weight": [[8, 96, 64], null],
      "model.layers.0.block_sparse_moe.output_linear.weight": [[8, 64, 48], null],
    },
  },
  "Llama 4, experts stacked as [in, out]": {
    config: { text_config: { hidden_size: 64, vocab_size: 320, num_local_experts: 4 } },
    tensors: {
      "language_model.model.layers.1.feed_forward.router.weight": [[4, 64], router],
      "language_model.model.layers.1.feed_forward.experts.gate_up_proj": [[4, 64, 96], null],
      "language_model.model.layers.1.feed_forward.experts.down_proj": [[4, 48, 64], null],
      "language_model.model.layers.1.feed_forward.shared_expert.up_proj.weight": [[48, 64], null],
      "language_model.lm_head.weight": [[320, 64], "head"],
      "vision_model.model.layers.0.self_attn.q_proj.weight": [[32, 32], tower],
      "multi_modal_projector.linear_1.weight": [[64, 32], tower],
    },
  },
  "DeepSeek, latent attention": {
    config: { hidden_size: 64, vocab_size: 320, n_routed_experts: 16, num_experts_per_tok: 4 },
    tensors: {
      "model.layers.3.self_attn.q_a_proj.weight": [[24, 64], null],
      "model.layers.3.self_attn.q_a_layernorm.weight": [[24], "vector"],
      "model.layers.3.self_attn.kv_a_proj_with_mqa.weight": [[40, 64], null],
      "model.layers.3.mlp.gate.weight": [[16, 64], router],
      "model.layers.3.mlp.gate.e_score_correction_bias": [[16], "vector"],
      "model.layers.3.mlp.experts.15.down_proj.weight": [[64, 16], null],
      "model.layers.61.embed_tokens.weight": [[320, 64], "table or head"],
      "model.layers.61.shared_head.head.weight": [[320, 64], "table or head"],
      "model.layers.61.eh_proj.weight": [[64, 128], null],
    },
  },
  "Qwen2-MoE, a shared expert with a gate": {
    config: { hidden_size: 64, vocab_size: 320, num_experts: 60 },
    tensors: {
      "model.layers.0.mlp.gate.weight": [[60, 64], router],
      "model.layers.0.mlp.shared_expert_gate.weight": [[1, 64], router],
      "model.layers.0.mlp.shared_expert.gate_proj.weight": [[96, 64], null],
      "model.layers.0.mlp.experts.59.gate_proj.weight": [[24, 64], null],
    },
  },
  Mamba: {
    config: { hidden_size: 64, vocab_size: 320 },
    tensors: {
      "backbone.embeddings.weight": [[328, 64], "embedding, head"],
      "backbone.layers.0.mixer.A_log": [[128, 16], "not a weight by its name"],
      "backbone.layers.0.mixer.conv1d.weight": [[128, 1, 4], "3 dimensions"],
      "backbone.layers.0.mixer.in_proj.weight": [[256, 64], null],
      "backbone.layers.0.mixer.x_proj.weight": [[36, 128], null],
      "backbone.layers.0.mixer.dt_proj.weight": [[128, 4], "a side below 8"],
    },
  },
  "RWKV, whose gate is a layer": {
    config: { hidden_size: 64, vocab_size: 320 },
    tensors: {
      "rwkv.embeddings.weight": [[320, 64], "embedding"],
      "rwkv.blocks.0.attention.gate.weight": [[64, 64], null],
      "rwkv.blocks.0.attention.output.weight": [[64, 64], null],
      "rwkv.blocks.0.attention.time_decay": [[8, 8], "not a weight by its name"],
      "rwkv.blocks.0.ln1.weight": [[64], "vector"],
      "head.weight": [[320, 64], "head"],
    },
  },
  "T5, blocks with numbered layers": {
    config: { d_model: 64, vocab_size: 320 },
    tensors: {
      "shared.weight": [[320, 64], "embedding"],
      "decoder.block.1.layer.0.SelfAttention.q.weight": [[64, 64], null],
      "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": [[32, 8], "bias"],
      "decoder.block.1.layer.2.DenseReluDense.wo.weight": [[64, 128], null],
      "lm_head.weight": [[320, 64], "head"],
    },
  },
  Bloom: {
    config: { n_embd: 64, vocab_size: 320 },
    tensors: {
      "transformer.word_embeddings.weight": [[320, 64], "embedding, head"],
      "transformer.word_embeddings_layernorm.weight": [[64], "vector"],
      "transformer.h.0.self_attention.query_key_value.weight": [[192, 64], null],
      "transformer.h.0.mlp.dense_4h_to_h.weight": [[64, 256], null],
    },
  },
  "InternLM2 with images": {
    config: { llm_config: { hidden_size: 64, vocab_size: 320 }, vision_config: {} },
    tensors: {
      "language_model.model.tok_embeddings.weight": [[320, 64], "embedding"],
      "language_model.model.layers.0.attention.wqkv.weight": [[96, 64], null],
      "language_model.model.layers.0.feed_forward.w2.weight": [[64, 96], null],
      "language_model.output.weight": [[320, 64], "head"],
      "vision_model.encoder.layers.0.attn.qkv.weight": [[96, 32], tower],
      "vision_model.embeddings.patch_embedding.weight": [[32, 3, 4, 4], "table or head"],
      "mlp1.1.weight": [[64, 32], "outside the blocks"],
    },
  },
};

test.each(Object.entries(layouts))("%s", (_, { config, tensors }) => {
  const stored = Object.entries(tensors).map(([name, [shape]]) => ({ name, shape, dtype: "bf16" }));
  const judged = judgeTensors(stored, readGenericConfig({ model_type: "other", ...config }));
  const found = Object.fromEntries(judged.map(({ name, reason }) => [name, reason]));
  const expected = Object.entries(tensors).map(([name, [, reason]]) => [name, reason]);
  expect(found).toEqual(Object.fromEntries(expected));
});
