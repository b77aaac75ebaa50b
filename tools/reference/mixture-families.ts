import type { Prng } from "../../src/util/prng.ts";
import { epsilon, type Fields, kvHeads, makeHeads, makeRope, some, yes } from "./draw-fields.ts";
import { choose, type Json } from "./subject.ts";
import { lateWindows } from "./text-families.ts";

/** A Llama whose MLPs are mixtures; what says so, and what is the family's own, is in `own`. */
function mixture(random: Prng, own: Fields, { headDim = false } = {}): Fields {
  const { heads, width, sizes } = makeHeads(random);
  const wide = headDim && yes(random) ? 12 : width;
  const more = some(random, 0.5, {
    hidden_act: choose(random, ["silu", "gelu", "gelu_pytorch_tanh", "relu"]),
    rms_norm_eps: epsilon(random),
    tie_word_embeddings: yes(random),
  });
  return {
    ...sizes,
    num_hidden_layers: 2 + random.below(3),
    ...kvHeads(random, heads),
    ...(wide !== width && { head_dim: wide }),
    ...more,
    ...own,
    ...makeRope(random, { pairs: wide / 2 }),
  };
}

/**
 * How many experts a block has and a token goes to; the latter is left out where the family's own
 * number fits.
 */
function counts(random: Prng, name: string, usual: number): Fields {
  const count = choose(random, [2, 3, 5, 9]);
  const used = 1 + random.below(Math.min(4, count));
  return {
    [name]: count,
    ...(count < usual || yes(random) ? { num_experts_per_tok: used } : {}),
  };
}

/** Which blocks are mixtures: every so manieth, but for those that are named. */
function sparse(random: Prng): Fields {
  return some(random, 0.5, {
    decoder_sparse_step: 1 + random.below(3),
    mlp_only_layers: choose<Json>(random, [null, [], [0], [1], [0, 2], [3, 1]]),
  });
}

const width = (random: Prng): number => choose(random, [12, 20, 36]);

/** Fields of mixtures of experts, drawn anew for each case. */
export const mixtureFamilies: Readonly<Record<string, (random: Prng) => Fields>> = {
  mixtral(random) {
    const own = some(random, 0.7, { sliding_window: choose<Json>(random, [3, 64, null]) });
    const noise = some(random, 0.3, { router_jitter_noise: 0.1, router_aux_loss_coef: 0.02 });
    const experts = counts(random, "num_local_experts", 2);
    const drawn = mixture(random, { ...experts, ...own, ...noise }, { headDim: true });
    // transformers fails to compute dynamic rotations of a Mixtral that leaves it out.
    return { head_dim: 32 / Number(drawn.num_attention_heads), ...drawn };
  },
  qwen2_moe: (random) =>
    mixture(random, {
      ...counts(random, "num_experts", 4),
      moe_intermediate_size: width(random),
      shared_expert_intermediate_size: width(random),
      ...sparse(random),
      ...lateWindows(random),
      ...some(random, 0.6, { norm_topk_prob: yes(random), qkv_bias: yes(random) }),
    }),
  qwen3_moe: (random) =>
    mixture(
      random,
      {
        ...counts(random, choose(random, ["num_experts", "num_local_experts"]), 8),
        moe_intermediate_size: width(random),
        ...sparse(random),
        ...some(random, 0.7, {
          use_sliding_window: yes(random),
          sliding_window: choose(random, [3, 64]),
        }),
        ...some(random, 0.6, { norm_topk_prob: yes(random), attention_bias: yes(random) }),
      },
      { headDim: true },
    ),
  olmoe: (random) =>
    mixture(random, {
      ...counts(random, "num_experts", 8),
      ...some(random, 0.6, { norm_topk_prob: yes(random), attention_bias: yes(random) }),
      ...some(random, 0.3, { clip_qkv: null }),
    }),
};
