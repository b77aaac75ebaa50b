import { readModelConfig } from "../../src/models/index.ts";
import type { DecoderConfig } from "../../src/models/decoder-config.ts";
import { attentionScale, inverseFrequencies, type RopeConfig } from "../../src/nn/rope.ts";
import type { Prng } from "../../src/util/prng.ts";
import { type Json, type Subject, choose } from "./subject.ts";

type Fields = Record<string, Json>;

const modelTypes = ["llama", "mistral", "ministral", "qwen2", "qwen3", "smollm3"];
const thetas = [10_000, 500_000, 1_000_000, 5000.5];

/** Takes each of `all` with the given chance. */
function some(random: Prng, chance: number, all: Fields): Fields {
  return Object.fromEntries(Object.entries(all).filter(() => random.uniform() < chance));
}

/** `rope_parameters` or `rope_scaling`, in one of its spellings. */
function makeRope(random: Prng): Fields {
  const kind = choose(random, ["default", "linear", "llama3", "yarn", "yarn", "dynamic", "other"]);
  const name = kind === "other" ? choose(random, ["longrope", "su", "mrope", "ntk"]) : kind;
  const fields: Fields = choose<Fields>(random, [
    { rope_type: name },
    { rope_type: name },
    { type: name },
    { rope_type: name, type: choose(random, [name, "linear", "default"]) },
  ]);
  Object.assign(
    fields,
    some(random, 0.4, { rope_theta: choose(random, thetas) }),
    some(random, 0.95, { factor: choose(random, [1, 2, 4, 8.5, 0.5]) }),
    some(random, 0.5, { original_max_position_embeddings: choose(random, [8, 24, 4096]) }),
  );
  if (kind === "llama3") {
    const [low, high] = choose(random, [
      [1, 4],
      [1, 4],
      [1.5, 1.5],
      [4, 1],
    ]);
    Object.assign(fields, some(random, 0.95, { low_freq_factor: low, high_freq_factor: high }));
  }
  if (kind === "yarn") {
    Object.assign(
      fields,
      some(random, 0.25, {
        attention_factor: choose(random, [1.0, 0.75, null]),
        beta_fast: choose(random, [32, 16, 4.5, null]),
        beta_slow: choose(random, [1, 2, 0.25, null]),
        mscale: choose(random, [1, 0.707, 0]),
        mscale_all_dim: choose(random, [1, 0.5, 0]),
        truncate: choose(random, [true, false]),
      }),
    );
  }
  if (name === "longrope") {
    const factors = Array.from({ length: 4 }, () => 1 + random.below(4));
    Object.assign(fields, { short_factor: factors, long_factor: factors });
  }
  return fields;
}

/** How a program or a person has written the rotation down. */
function makeRopeFields(random: Prng): Fields {
  const beside = choose<Fields>(random, [
    {},
    { rope_theta: choose(random, thetas) },
    { rope_theta: choose(random, thetas), original_max_position_embeddings: 16 },
    some(random, 0.2, { rope_theta: null, partial_rotary_factor: choose(random, [1, 0.5]) }),
  ]);
  const made = choose<Fields>(random, [
    {},
    { rope_scaling: choose<Json>(random, [null, {}]) },
    { rope_scaling: makeRope(random) },
    { rope_parameters: makeRope(random) },
    { rope_parameters: makeRope(random), rope_scaling: choose<Json>(random, [null, {}]) },
    { rope_parameters: makeRope(random), rope_scaling: makeRope(random) },
    {
      rope_parameters: { rope_theta: 20_000, rope_type: "default" },
      rope_scaling: makeRope(random),
    },
    { rope_parameters: choose<Json>(random, [null, {}, { full_attention: makeRope(random) }]) },
  ]);
  return { ...beside, ...made };
}

function makeLayerTypes(random: Prng, blocks: number): Json {
  const length = random.below(12) === 0 ? blocks + choose(random, [-1, 1]) : blocks;
  const names = choose(random, [
    ["full_attention"],
    ["full_attention", "sliding_attention"],
    ["full_attention", "sliding_attention", "attention"],
    ["sliding_attention"],
    ["sliding_attention", choose(random, ["chunked_attention", "conv", "other"])],
  ]);
  return Array.from({ length }, () => choose(random, names));
}

function makeWindowFields(random: Prng, blocks: number): Fields {
  return {
    ...some(random, 0.5, {
      sliding_window: choose(random, [3, 7, 12, 64, null]),
      use_sliding_window: choose(random, [true, true, false]),
      max_window_layers: random.below(blocks + 1),
    }),
    ...some(random, 0.3, {
      layer_types: random.below(8) === 0 ? null : makeLayerTypes(random, blocks),
      no_rope_layers: Array.from({ length: blocks + choose(random, [0, 0, 1, -1]) }, () =>
        random.below(2),
      ),
      no_rope_layer_interval: choose(random, [1, 2, 3]),
    }),
  };
}

/** Sizes that every config states, small enough to build the model. */
function makeSizes(random: Prng): Fields {
  const heads = choose(random, [2, 4]);
  return {
    hidden_size: heads * 8 + (random.below(12) === 0 ? 2 : 0),
    intermediate_size: 24,
    num_hidden_layers: 2 + random.below(3),
    num_attention_heads: heads,
    vocab_size: 64,
    pad_token_id: choose(random, [null, 0]),
    ...some(random, 0.93, { num_key_value_heads: choose<Json>(random, [1, 2, heads, null]) }),
    ...some(random, 0.6, { head_dim: choose<Json>(random, [8, 8, 12, 16, null]) }),
  };
}

function makeCase(_index: number, random: Prng): Json {
  const sizes = makeSizes(random);
  const config = {
    model_type: choose(random, modelTypes),
    ...sizes,
    ...some(random, 0.7, {
      max_position_embeddings: choose(random, [32, 64, 8192]),
      rms_norm_eps: choose(random, [1e-5, 1e-6]),
      hidden_act: choose(random, random.below(20) === 0 ? ["relu2"] : ["silu", "gelu"]),
    }),
    ...some(random, 0.4, {
      tie_word_embeddings: choose(random, [true, false]),
      attention_bias: choose(random, [true, false]),
      mlp_bias: choose(random, [true, false]),
      [choose(random, ["dtype", "torch_dtype"])]: "bfloat16",
      eos_token_id: choose<Json>(random, [2, [2, 3], null]),
    }),
    ...makeRopeFields(random),
    ...makeWindowFields(random, Number(sizes.num_hidden_layers)),
  };
  return { config };
}

/** transformers knows frequencies of models that rotate no block, too. */
const allRotated = { no_rope_layers: null, no_rope_layer_interval: 1000 };

function rotationOf({ layers }: DecoderConfig): RopeConfig | null {
  return layers.find(({ rope }) => rope !== null)?.rope ?? null;
}

function answer(input: Json): Json {
  const { config: json } = input as { config: Fields };
  const config = readModelConfig(json);
  const rope = rotationOf(config) ?? rotationOf(readModelConfig({ ...json, ...allRotated }));
  const frequencies = rope ? inverseFrequencies(rope) : new Float32Array();
  const step = Math.max(1, Math.floor(frequencies.length / 8));
  const { qkv, output, mlp } = config.biases;
  return {
    blocks: config.layers.map(({ rope, window }): Json => [rope !== null, window]),
    frequencies: [...frequencies].filter((_, index) => index % step === 0),
    scale: rope ? attentionScale(rope) : 1,
    shape: [
      config.vocabularySize,
      config.hiddenSize,
      config.intermediateSize,
      config.heads,
      config.kvHeads,
      config.headDim,
    ],
    biases: [qkv, output, mlp],
    headNorms: config.names.norms.query !== undefined,
    context: config.contextLength,
    eps: config.norm.eps,
    tied: config.tiedEmbeddings,
  };
}

type Exception = readonly [reason: string, holds: (config: Fields) => boolean];

function ropeOf({ rope_scaling: scaling, rope_parameters: parameters }: Fields): Fields {
  const stated = scaling && Object.keys(scaling).length > 0 ? scaling : parameters;
  return (stated ?? {}) as Fields;
}

const isMinistral = (config: Fields): boolean =>
  config.model_type === "ministral" || (config.model_type === "mistral" && "layer_types" in config);

/** Configs that fewbit refuses and transformers does not. */
const refusedOnlyHere: readonly Exception[] = [
  [
    "a partial rotation would be ignored: the model was made for another program",
    (config) => "partial_rotary_factor" in config,
  ],
  ["one rotation a layer type would be ignored", (config) => "full_attention" in ropeOf(config)],
  [
    "heads of an odd width, which no block rotates",
    (config) => Array.isArray(config.no_rope_layers) && !config.no_rope_layers.includes(1),
  ],
  ["an activation that fewbit has not", (config) => config.hidden_act === "relu2"],
  [
    "layer types that Llama has not would be ignored",
    (config) => config.model_type === "llama" && "layer_types" in config,
  ],
];

/** Configs that transformers fails on although they say all that is needed. */
const refusedOnlyThere: readonly Exception[] = [
  [
    "the width of a head that is not stated: these classes take no quotient when they compute",
    (config) =>
      (isMinistral(config) && (config.head_dim ?? null) === null) ||
      (["qwen2", "smollm3"].includes(String(config.model_type)) && config.head_dim === null),
  ],
  [
    "Ministral without a window: a sliding mask is made though no block slides",
    (config) => isMinistral(config) && config.sliding_window === null,
  ],
  [
    "Llama states the width of its heads, yet hidden_size must be a multiple",
    (config) => config.model_type === "llama" && (config.head_dim ?? null) !== null,
  ],
  [
    "a null for one key head a query head",
    (config) => /istral/.test(String(config.model_type)) && config.num_key_value_heads === null,
  ],
];

const isRefusal = (answer: Json): boolean =>
  typeof answer === "object" && answer !== null && "refused" in answer;

/** Equality, but for numbers that PyTorch has rounded on the way. */
function near(ours: Json, theirs: Json): boolean {
  if (typeof ours === "number" && typeof theirs === "number") {
    return Math.abs(ours - theirs) <= 1e-6 * Math.abs(theirs);
  }
  if (typeof ours !== "object" || typeof theirs !== "object" || !ours || !theirs) {
    return ours === theirs;
  }
  const [left, right] = [ours as Fields, theirs as Fields];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => key in left && key in right && near(left[key], right[key]));
}

function agree(ours: Json, theirs: Json, input: Json): boolean {
  const { config } = input as { config: Fields };
  const holds = ([, test]: Exception): boolean => test(config);
  if (isRefusal(ours)) return isRefusal(theirs) || refusedOnlyHere.some(holds);
  if (isRefusal(theirs)) return refusedOnlyThere.some(holds);
  return near(ours, theirs);
}

/** Configs of every architecture, as programs write them and as people mix them. */
export const configs: Subject = {
  name: "configs",
  packages: ["torch", "transformers"],
  goldenCases: 300,
  makeCase,
  answer,
  agree,
};
