import { describe, expect, test } from "vitest";
import { modelCaseNames, readModelCase } from "../../test/golden/model-cases.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { findArchitecture, readModelConfig } from "./index.ts";

/** Fields that a published config.json of each family has, besides sizes. */
const published: Readonly<Record<string, Record<string, unknown>>> = {
  gemma: {
    hidden_act: "gelu",
    hidden_activation: null,
    rope_scaling: null,
    torch_dtype: "bfloat16",
  },
  gemma2: { hidden_act: "gelu_pytorch_tanh", cache_implementation: "hybrid", _attn: "eager" },
  gemma3: { cache_implementation: "hybrid", attn_logit_softcapping: null, rope_scaling: null },
  opt: { activation_dropout: 0.1, dropout: 0.1, init_std: 0.02, layerdrop: 0.1, prefix: "</s>" },
  gpt2: {
    n_ctx: 1024,
    attn_pdrop: 0.1,
    summary_type: "cls_index",
    summary_use_proj: true,
    task_specific_params: { "text-generation": { do_sample: true, max_length: 50 } },
  },
  "gpt-neox": { classifier_dropout: 0.1, gradient_checkpointing: false, hidden_dropout: 0.1 },
  phi: { attention_dropout: 0.1, resid_pdrop: 0.1, embd_pdrop: 0.1, rope_scaling: null },
  phi3: { auto_map: { AutoConfig: "x" }, full_attn_mod: 1, interpolate_factor: 1, mlp_bias: false },
  granite: { attention_dropout: 0.1, initializer_range: 0.1, rope_scaling: null },
  olmo2: { attention_dropout: 0.1, rope_scaling: null, initializer_range: 0.02 },
  starcoder2: { mlp_type: "default", residual_dropout: 0.1, attention_softmax_in_fp32: true },
  mobilellm: { auto_map: { AutoConfig: "x" }, pretraining_tp: 1, rope_scaling: null },
  mixtral: { router_aux_loss_coef: 0.02, output_router_logits: false, attention_dropout: 0 },
  "qwen2-moe": { router_aux_loss_coef: 0.001, mlp_only_layers: [], decoder_sparse_step: 1 },
  "qwen3-moe-every": { router_aux_loss_coef: 0.001, mlp_only_layers: [], rope_scaling: null },
  olmoe: { router_aux_loss_coef: 0.01, rope_scaling: null, attention_bias: false },
  cohere: { model_max_length: 131_072, use_qk_norm: false, hidden_act: "silu" },
};

const configOf = (name: string): Record<string, unknown> => readModelCase(name).config;

describe("what config.json says beyond what is read", () => {
  test.each(Object.entries(published))(
    "is let through where %s is published so",
    (name, fields) => {
      const config = configOf(name);
      const found = readModelConfig({ ...config, ...fields, use_cache: true, eos_token_id: 1 });
      const { hidden_act: _, ...same } = fields;
      expect(found).toEqual(readModelConfig({ ...config, ...(fields.hidden_act ? fields : same) }));
    },
  );

  test.each(Object.keys(published))("is refused by its name where it could matter: %s", (name) => {
    for (const value of [2, true, "alibi", [1], { a: 1 }]) {
      const json = { ...configOf(name), some_new_scaling: value };
      expect(() => readModelConfig(json)).toThrow(UnsupportedError);
      expect(() => readModelConfig(json)).toThrow(/the field some_new_scaling is not known/);
    }
    for (const value of [null, false, {}, ""]) {
      expect(() => readModelConfig({ ...configOf(name), some_new_scaling: value })).not.toThrow();
    }
  });

  test.each([
    ["gemma", { use_bidirectional_attention: true }],
    ["gemma2", { use_bidirectional_attention: true }],
    ["gemma3", { attn_logit_softcapping: 50 }],
    ["opt", { layer_norm_elementwise_affine: false }],
    ["gpt2", { scale_attn_by_inverse_layer_idx: true }],
    ["gpt2", { add_cross_attention: true }],
    ["phi3", { attention_bias: true }],
    ["mobilellm", { layer_sharing: true }],
    ["starcoder2", { norm_type: "rms_norm" }],
    ["olmoe", { clip_qkv: 8 }],
    ["gemma", { hidden_act: "quick_gelu" }],
    ["opt", { activation_function: "gelu_10" }],
    ["gpt-neox", { rotary_pct: 0.1 }],
    ["phi3-longrope", { rope_scaling: { type: "mrope" } }],
  ])("%s with %o is an UnsupportedError", (name, fields) => {
    const read = (): unknown => readModelConfig({ ...configOf(name), ...fields });
    expect(read).toThrow(UnsupportedError);
    const [field, value] = Object.entries(fields)[0];
    expect(read).toThrow(typeof value === "object" ? "rope_type" : field);
  });

  test.each([
    ["gpt2", { n_embd: -1 }, /n_embd/],
    ["gpt2", { n_layer: "2" }, /n_layer/],
    ["opt", { ffn_dim: 0 }, /ffn_dim/],
    ["mixtral", { num_experts_per_tok: 9 }, /num_experts_per_tok is 9, but a block has 4/],
    ["mixtral", { num_local_experts: 400_000_000 }, /400000000 experts, expected at most 10000/],
    ["qwen3-moe-steps", { decoder_sparse_step: 0 }, /decoder_sparse_step/],
    ["qwen2-moe", { mlp_only_layers: [0.5] }, /mlp_only_layers/],
    ["opt", { hidden_size: 30 }, /hidden_size 30 is not a multiple/],
    ["gpt2", { n_embd: 30 }, /n_embd 30 is not a multiple of n_head 4/],
    ["gpt-neox", { rotary_emb_base: 0 }, /rotary_emb_base/],
    ["gpt-neox", { use_parallel_residual: 1 }, /use_parallel_residual/],
    ["gemma2", { query_pre_attn_scalar: 0 }, /query_pre_attn_scalar/],
    ["gemma2", { sliding_window: -4 }, /positive sliding_window/],
    ["gemma3", { rope_parameters: { rope_theta: 5 } }, /rope_theta/],
    ["gemma3-rope-parameters", { layer_types: ["full_attention"] }, /expected 2 layer_types/],
    [
      "phi3-longrope-beyond",
      { rope_parameters: { rope_type: "longrope", short_factor: [1] } },
      /4 numbers/,
    ],
    ["granite", { logits_scaling: 0 }, /logits_scaling/],
  ])("%s with %o is a FormatError that names it", (name, fields, message) => {
    const read = (): unknown => readModelConfig({ ...configOf(name), ...fields });
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
  });
});

describe("what is left out means what transformers means", () => {
  const without = (name: string, ...fields: string[]): ReturnType<typeof readModelConfig> => {
    const kept = Object.entries(configOf(name)).filter(([field]) => !fields.includes(field));
    return readModelConfig(Object.fromEntries(kept));
  };

  test("Gemma", () => {
    const config = without("gemma2", "head_dim", "query_pre_attn_scalar", "tie_word_embeddings");
    expect(config).toMatchObject({ headDim: 256, attentionScale: 1 / 16, tiedEmbeddings: true });
    const bare = without("gemma2", "attn_logit_softcapping", "final_logit_softcapping");
    expect(bare.caps).toEqual({ scores: 50, logits: 30 });
    const { layers } = without("gemma3-cap", "sliding_window");
    expect(layers.map(({ window }) => window)).toEqual([4096, 4096, 4096, 4096, 4096, null, 4096]);
    expect(layers.map(({ rope }) => rope?.theta)).toEqual([1e4, 1e4, 1e4, 1e4, 1e4, 1e6, 1e4]);
  });

  test("GPT-2, OPT, GPT-NeoX and Phi", () => {
    expect(without("gpt2").intermediateSize).toBe(128);
    expect(without("gpt2", "n_positions").positions).toEqual({ rows: 1024, first: 0 });
    expect(without("opt", "max_position_embeddings").positions).toEqual({ rows: 2050, first: 2 });
    expect(without("opt", "ffn_dim").intermediateSize).toBe(3072);
    expect(without("gpt-neox", "rotary_pct").layers[0].rope).toMatchObject({ rotated: 2 });
    expect(without("phi", "partial_rotary_factor").layers[0].rope).toMatchObject({ rotated: 8 });
  });

  test("blocks that are rotated alike share one rotation", () => {
    const { layers } = readModelConfig(configOf("gemma3-cap"));
    expect(new Set(layers.map(({ rope }) => rope)).size).toBe(2);
  });
});

test("heads of OPT, GPT-2 and GPT-NeoX have keys of their own, whatever their configs say", () => {
  for (const name of ["opt", "gpt2", "gpt-neox"]) {
    const config = configOf(name);
    const more = { ...config, num_key_value_heads: 1, head_dim: 4 };
    expect(readModelConfig(more)).toEqual(readModelConfig(config));
  }
});

test("LongRoPE by its earlier names", () => {
  const config = configOf("phi3-longrope");
  const scaling = config["rope_scaling"] as object;
  for (const type of ["su", "yarn"]) {
    const renamed = { ...config, rope_scaling: { ...scaling, type } };
    expect(readModelConfig(renamed)).toEqual(readModelConfig(config));
  }
});

test("every golden model is of a family that is found by its config", () => {
  for (const name of modelCaseNames) {
    expect(findArchitecture(configOf(name)).modelType).toBe(configOf(name)["model_type"]);
  }
});
