import type { Prng } from "../../src/util/prng.ts";
import {
  epsilon,
  type Fields,
  kvHeads,
  layerTypes,
  makeHeads,
  makeRope,
  makeScaling,
  some,
  yes,
} from "./draw-fields.ts";
import { choose, type Json } from "./subject.ts";

function gemma(random: Prng, type: string): Fields {
  const { heads, sizes } = makeHeads(random);
  const width = choose(random, [8, 12]);
  const config = { ...sizes, ...kvHeads(random, heads), head_dim: width };
  const more = some(random, 0.5, {
    attention_bias: yes(random),
    tie_word_embeddings: yes(random),
    rms_norm_eps: epsilon(random),
  });
  if (type === "gemma") {
    const acts = ["gelu", "gelu_pytorch_tanh", "silu"];
    const act = some(random, 0.7, { hidden_act: choose(random, acts) });
    return { ...config, ...more, ...act, ...makeRope(random, { pairs: width / 2 }) };
  }
  const own = some(random, 0.7, {
    hidden_activation: choose(random, ["gelu_pytorch_tanh", "gelu", "relu"]),
    query_pre_attn_scalar: choose(random, [12, 100]),
    sliding_window: choose(random, [3, 5, 64]),
    final_logit_softcapping: choose<Json>(random, [2.5, null]),
  });
  const types = some(random, 0.3, { layer_types: layerTypes(random, sizes.num_hidden_layers) });
  if (type === "gemma2") {
    const cap = some(random, 0.7, { attn_logit_softcapping: choose<Json>(random, [1.5, null]) });
    return {
      ...config,
      ...more,
      ...own,
      ...types,
      ...cap,
      ...makeRope(random, { pairs: width / 2 }),
    };
  }
  const scaling = (): Fields => makeScaling(random, { pairs: width / 2 });
  const ropes = choose<Fields>(random, [
    {},
    { rope_theta: 5000.5, rope_local_base_freq: 300.5 },
    { rope_theta: 5000.5, rope_scaling: { rope_type: "linear", factor: 8 } },
    {
      rope_parameters: {
        full_attention: { rope_theta: 5000.5, ...scaling() },
        sliding_attention: { rope_theta: 300.5, rope_type: "default" },
      },
    },
  ]);
  const pattern = some(random, 0.5, { sliding_window_pattern: choose(random, [1, 2, 3]) });
  return { ...config, ...more, ...own, ...types, ...pattern, ...ropes };
}

/** Llama and those that are it but for a few fields. */
function llamaLike(random: Prng, own: Fields): Fields {
  const { heads, width, sizes } = makeHeads(random);
  const wide = yes(random) ? width : 12;
  const more = some(random, 0.5, {
    hidden_act: choose(random, ["silu", "gelu", "gelu_pytorch_tanh", "relu"]),
    rms_norm_eps: epsilon(random),
    tie_word_embeddings: yes(random),
  });
  return {
    ...sizes,
    ...kvHeads(random, heads),
    ...(wide !== width && { head_dim: wide }),
    ...more,
    ...own,
    ...makeRope(random, { pairs: wide / 2 }),
  };
}

/** Windows from some block on, of Qwen2 and what is made of it. */
export function lateWindows(random: Prng, chance = 0.7): Fields {
  return some(random, chance, {
    use_sliding_window: yes(random),
    sliding_window: choose(random, [3, 5, 64]),
    max_window_layers: random.below(4),
  });
}

/** Fields of families that are a language model and nothing else, drawn anew for each case. */
export const textFamilies: Readonly<Record<string, (random: Prng) => Fields>> = {
  llama: (random) =>
    llamaLike(random, some(random, 0.5, { attention_bias: yes(random), mlp_bias: yes(random) })),
  mistral: (random) =>
    llamaLike(random, some(random, 0.7, { sliding_window: choose<Json>(random, [3, 64, null]) })),
  ministral(random) {
    const config = llamaLike(random, { sliding_window: choose(random, [3, 64]) });
    const types = { layer_types: layerTypes(random, config.num_hidden_layers) };
    // transformers fails without a window, and where dynamic rotations must find the width.
    const width = { head_dim: 32 / Number(config.num_attention_heads) };
    return { ...width, ...config, ...some(random, 0.5, types) };
  },
  smollm3(random) {
    const flags = [1, 0, 1, 0].slice(random.below(2));
    const own = some(random, 0.5, {
      no_rope_layers: flags.slice(0, 3),
      no_rope_layer_interval: 1 + random.below(4),
      use_sliding_window: yes(random),
      sliding_window: choose<Json>(random, [3, 64, null]),
      attention_bias: yes(random),
      mlp_bias: yes(random),
    });
    return { ...llamaLike(random, own), num_hidden_layers: 3 };
  },
  qwen2: (random) => llamaLike(random, lateWindows(random)),
  qwen3: (random) =>
    llamaLike(random, {
      head_dim: choose(random, [8, 16]),
      ...lateWindows(random),
      ...some(random, 0.5, { attention_bias: yes(random) }),
    }),
  gemma: (random) => gemma(random, "gemma"),
  gemma2: (random) => gemma(random, "gemma2"),
  gemma3_text: (random) => gemma(random, "gemma3_text"),
  opt(random) {
    const { intermediate_size, ...sizes } = makeHeads(random).sizes;
    const more = some(random, 0.5, {
      do_layer_norm_before: yes(random),
      word_embed_proj_dim: choose<Json>(random, [16, 32, null]),
      enable_bias: yes(random),
      _remove_final_layer_norm: yes(random),
      activation_function: choose(random, ["relu", "gelu", "gelu_new"]),
      tie_word_embeddings: yes(random),
    });
    return { ...sizes, ffn_dim: intermediate_size, ...more };
  },
  gpt2(random) {
    const { heads, sizes } = makeHeads(random);
    const more = some(random, 0.5, {
      n_inner: choose<Json>(random, [null, 44]),
      activation_function: choose(random, ["relu", "gelu", "gelu_new", "silu"]),
      scale_attn_weights: yes(random),
      layer_norm_epsilon: epsilon(random),
      tie_word_embeddings: yes(random),
      reorder_and_upcast_attn: false,
    });
    const shape = { n_embd: 32, n_head: heads, n_layer: 2, n_positions: 64 };
    const { vocab_size, bos_token_id, eos_token_id } = sizes;
    return { ...shape, vocab_size, bos_token_id, eos_token_id, ...more };
  },
  gpt_neox(random) {
    const { width, sizes } = makeHeads(random);
    const rotated = choose(random, [2, width / 2, width]);
    const more = some(random, 0.5, {
      use_parallel_residual: yes(random),
      attention_bias: yes(random),
      hidden_act: choose(random, ["gelu", "gelu_new", "gelu_fast", "relu", "silu"]),
      layer_norm_eps: epsilon(random),
      tie_word_embeddings: yes(random),
    });
    const share = { rotary_pct: rotated / width };
    return {
      ...sizes,
      ...more,
      ...makeRope(random, { pairs: rotated / 2, theta: "rotary_emb_base", share }),
    };
  },
  phi(random) {
    const { heads, width, sizes } = makeHeads(random);
    const rotated = choose(random, [2, width / 2, width]);
    const more = some(random, 0.5, {
      qk_layernorm: yes(random),
      hidden_act: choose(random, ["gelu", "gelu_new", "relu", "silu"]),
      layer_norm_eps: epsilon(random),
      tie_word_embeddings: yes(random),
    });
    const share = { partial_rotary_factor: rotated / width };
    const rope = makeRope(random, { pairs: rotated / 2, share });
    return { ...sizes, ...kvHeads(random, heads), ...more, ...rope };
  },
  phi3(random) {
    const { heads, width, sizes } = makeHeads(random);
    const rotated = choose(random, [width / 2, width]);
    const more = some(random, 0.5, {
      sliding_window: choose<Json>(random, [3, 64, null]),
      hidden_act: choose(random, ["silu", "gelu"]),
      rms_norm_eps: epsilon(random),
      tie_word_embeddings: yes(random),
    });
    const share = { partial_rotary_factor: rotated / width };
    const rope = makeRope(random, { pairs: rotated / 2, share, only: 2 });
    const original = some(random, 0.7, {
      original_max_position_embeddings: choose(random, [8, 32]),
    });
    return { ...sizes, ...kvHeads(random, heads), ...more, ...original, ...rope };
  },
  granite(random) {
    const { heads, width, sizes } = makeHeads(random);
    const more = some(random, 0.5, {
      embedding_multiplier: choose(random, [0.5, 12]),
      attention_multiplier: choose(random, [0.1, 0.5]),
      residual_multiplier: choose(random, [0.22, 1.5]),
      logits_scaling: choose(random, [4, 0.5]),
      attention_bias: yes(random),
      mlp_bias: yes(random),
      rms_norm_eps: epsilon(random),
      tie_word_embeddings: yes(random),
    });
    const rope = makeRope(random, { pairs: width / 2 });
    return { ...sizes, ...kvHeads(random, heads), ...more, ...rope };
  },
  olmo2(random) {
    const { heads, width, sizes } = makeHeads(random);
    const more = some(random, 0.5, {
      attention_bias: yes(random),
      rms_norm_eps: epsilon(random),
      tie_word_embeddings: yes(random),
      hidden_act: choose(random, ["silu", "gelu"]),
    });
    return {
      ...sizes,
      ...kvHeads(random, heads),
      ...more,
      ...makeRope(random, { pairs: width / 2 }),
    };
  },
  starcoder2(random) {
    const { heads, width, sizes } = makeHeads(random);
    const more = some(random, 0.5, {
      use_bias: yes(random),
      norm_epsilon: epsilon(random),
      sliding_window: choose<Json>(random, [3, 64, null]),
      hidden_act: choose(random, ["gelu_pytorch_tanh", "gelu", "relu", "silu"]),
      tie_word_embeddings: yes(random),
    });
    const rope = makeRope(random, { pairs: width / 2 });
    return { ...sizes, ...kvHeads(random, heads), ...more, ...rope };
  },
  stablelm(random) {
    const { heads, width, sizes } = makeHeads(random);
    const rotated = choose(random, [2, width / 2, width]);
    const more = some(random, 0.5, {
      use_qkv_bias: yes(random),
      qk_layernorm: yes(random),
      use_parallel_residual: yes(random),
      hidden_act: choose(random, ["silu", "gelu", "relu"]),
      layer_norm_eps: epsilon(random),
      tie_word_embeddings: yes(random),
    });
    const share = { partial_rotary_factor: rotated / width };
    const rope = makeRope(random, { pairs: rotated / 2, share });
    return { ...sizes, ...kvHeads(random, heads), ...more, ...rope };
  },
  nemotron(random) {
    const { heads, width: whole, sizes } = makeHeads(random);
    const width = choose(random, [whole, 12]);
    const rotated = choose(random, [2, width / 2, width]);
    const more = some(random, 0.5, {
      attention_bias: yes(random),
      mlp_bias: yes(random),
      hidden_act: choose(random, ["relu2", "relu", "silu"]),
      norm_eps: epsilon(random),
      tie_word_embeddings: yes(random),
    });
    const share = { partial_rotary_factor: rotated / width };
    const rope = makeRope(random, { pairs: rotated / 2, share });
    const shape = { ...sizes, ...(width !== whole && { head_dim: width }) };
    return { ...shape, ...kvHeads(random, heads), ...more, ...rope };
  },
  cohere(random) {
    const { heads, width, sizes } = makeHeads(random);
    const more = some(random, 0.5, {
      attention_bias: yes(random),
      layer_norm_eps: epsilon(random),
      logit_scale: choose(random, [0.25, 1.5]),
      tie_word_embeddings: yes(random),
      use_qk_norm: yes(random),
    });
    return {
      ...sizes,
      ...kvHeads(random, heads),
      ...more,
      ...makeRope(random, { pairs: width / 2 }),
    };
  },
};
