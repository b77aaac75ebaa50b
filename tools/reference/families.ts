import { isDeepStrictEqual } from "node:util";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import type { Prng } from "../../src/util/prng.ts";
import { hashedValues } from "../../test/golden/formula-weights.ts";
import { loadCase, windowLogits } from "../../test/golden/model-cases.ts";
import { choose, type Json, type Subject } from "./subject.ts";

type Fields = Record<string, Json>;

const backend = createReferenceBackend();
const vocabulary = 72;
const length = 12;

/** Takes each field with the given chance. */
function some(random: Prng, chance: number, all: Fields): Fields {
  return Object.fromEntries(Object.entries(all).filter(() => random.uniform() < chance));
}

const yes = (random: Prng): boolean => random.below(2) === 0;

/** A rotation that every program writes so; of as many pairs of channels as are rotated. */
function makeScaling(
  random: Prng,
  { pairs, only = null }: Pick<RopeForm, "pairs" | "only">,
): Fields {
  const factors = (): number[] => Array.from({ length: pairs }, () => 1 + random.below(4));
  const all: readonly Fields[] = [
    { rope_type: "default" },
    {
      rope_type: "longrope",
      short_factor: factors(),
      long_factor: factors(),
      original_max_position_embeddings: choose(random, [8, 32]),
    },
    { rope_type: "linear", factor: 4 },
    { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, ...context },
    { rope_type: "yarn", factor: 4, ...context },
    // transformers divides by the number of rotated channels less 2.
    ...(pairs > 1 ? [{ rope_type: "dynamic", factor: 2 }] : []),
  ];
  return choose(random, only === null ? all : all.slice(0, only));
}

const context = { original_max_position_embeddings: 32 };

interface RopeForm {
  readonly pairs: number;
  readonly theta?: string;
  readonly share?: Fields;
  /** How many of the kinds of rotation the family has; null for all. */
  readonly only?: number | null;
}

/** The rotation in the form of transformers 4 or 5. */
function makeRope(
  random: Prng,
  { pairs, theta = "rope_theta", share = {}, only = null }: RopeForm,
): Fields {
  const base = choose(random, [500, 10_000, 5000.5]);
  const scaling = makeScaling(random, { pairs, only });
  if (yes(random)) {
    const inner =
      Object.keys(share).length > 0 ? { partial_rotary_factor: Object.values(share)[0] } : {};
    return { rope_parameters: { rope_theta: base, ...scaling, ...inner } };
  }
  const { rope_type, ...rest } = scaling;
  const spelled = choose<Fields>(random, [{ rope_type }, { type: rope_type }]);
  const isPlain = rope_type === "default";
  return { [theta]: base, ...share, ...(isPlain ? {} : { rope_scaling: { ...spelled, ...rest } }) };
}

/** Heads, and how wide they are. */
function makeHeads(random: Prng): { heads: number; width: number; sizes: Fields } {
  const heads = choose(random, [2, 4]);
  const width = 32 / heads;
  const sizes = {
    hidden_size: 32,
    intermediate_size: choose(random, [24, 44]),
    num_hidden_layers: 2 + random.below(2),
    num_attention_heads: heads,
    vocab_size: vocabulary,
    max_position_embeddings: 64,
    pad_token_id: 0,
    bos_token_id: 1,
    eos_token_id: 2,
  };
  return { heads, width, sizes };
}

const kvHeads = (random: Prng, heads: number): Fields => ({
  num_key_value_heads: choose(random, [1, 2, heads]),
});
const epsilon = (random: Prng): number => choose(random, [1e-5, 1e-2]);
const layerTypes = (random: Prng, blocks: Json): Json =>
  Array.from({ length: Number(blocks) }, () =>
    choose(random, ["full_attention", "sliding_attention"]),
  );

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

/** Fields of each family, drawn anew for each case. */
const families: Readonly<Record<string, (random: Prng) => Fields>> = {
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

function makeCase(index: number, random: Prng): Json {
  const names = Object.keys(families);
  const model_type = names[index % names.length];
  const ids = [...hashedValues(`ids ${index}`, length)].map((v) =>
    Math.floor(((v + 1) / 2) * vocabulary),
  );
  return { config: { model_type, ...families[model_type](random) }, ids };
}

/** Every third logit of the last token. */
async function answer(input: Json): Promise<Json> {
  const { config, ids } = input as { config: Fields; ids: number[] };
  const loaded = await loadCase(backend, { config, dtype: "float32" });
  const logits = await windowLogits(loaded, [ids]).read();
  const last = logits.subarray(-vocabulary).filter((_, i) => i % 3 === 0);
  return [...last].map((x) => Math.round(x * 1e4) / 1e4);
}

function agree(ours: Json, theirs: Json): boolean {
  if (!Array.isArray(ours) || !Array.isArray(theirs)) return isDeepStrictEqual(ours, theirs);
  const largest = theirs.reduce((most: number, x) => Math.max(most, Math.abs(Number(x))), 1);
  return ours.every((x, i) => Math.abs(Number(x) - Number(theirs[i])) <= 1e-4 + 2e-5 * largest);
}

/** Logits of families whose fields are drawn: tiny models with weights by formula. */
export const familyLogits: Subject = {
  name: "families",
  packages: ["torch", "transformers"],
  goldenCases: 220,
  makeCase,
  answer,
  agree,
};
