import { describe, expect, test } from "vitest";
import { readModelCase } from "../../test/golden/model-cases.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { expectedTensors } from "./decoder-tensors.ts";
import { readModelConfig } from "./index.ts";

/** What the published config.json of llava-hf/llava-1.5-7b-hf says of its language model. */
const llava = {
  model_type: "llava",
  image_token_index: 32_000,
  projector_hidden_act: "gelu",
  text_config: {
    architectures: ["LlamaForCausalLM"],
    max_position_embeddings: 4096,
    model_type: "llama",
    rms_norm_eps: 1e-5,
    torch_dtype: "float16",
    vocab_size: 32_064,
  },
  tie_word_embeddings: false,
  vision_config: { model_type: "clip_vision_model", hidden_size: 1024 },
  vision_feature_layer: -2,
};
/** That of google/gemma-3-4b-it. */
const gemma = {
  model_type: "gemma3",
  mm_tokens_per_image: 256,
  text_config: {
    hidden_size: 2560,
    intermediate_size: 10_240,
    model_type: "gemma3_text",
    num_hidden_layers: 34,
    rope_scaling: { factor: 8, rope_type: "linear" },
    sliding_window: 1024,
  },
  vision_config: { model_type: "siglip_vision_model", hidden_size: 1152 },
};
/** That of Qwen/Qwen2-VL-2B-Instruct, all in one. */
const qwen = {
  model_type: "qwen2_vl",
  hidden_act: "silu",
  hidden_size: 1536,
  image_token_id: 151_655,
  intermediate_size: 8960,
  max_position_embeddings: 32_768,
  max_window_layers: 28,
  num_attention_heads: 12,
  num_hidden_layers: 28,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
  rope_theta: 1_000_000,
  sliding_window: 32_768,
  tie_word_embeddings: true,
  use_sliding_window: false,
  vision_config: { depth: 32, embed_dim: 1280 },
  vocab_size: 151_936,
};

describe("published configs mean what transformers takes for what they leave out", () => {
  test("LLaVA 1.5", () => {
    const config = readModelConfig(llava);
    expect(config).toMatchObject({
      modelType: "llava",
      hiddenSize: 4096,
      intermediateSize: 11_008,
      heads: 32,
      kvHeads: 32,
      vocabularySize: 32_064,
      contextLength: 4096,
      tiedEmbeddings: false,
    });
    expect(config.layers).toHaveLength(32);
  });

  test("Gemma 3", () => {
    const config = readModelConfig(gemma);
    expect(config).toMatchObject({
      hiddenSize: 2560,
      heads: 8,
      kvHeads: 4,
      headDim: 256,
      vocabularySize: 262_208,
      tiedEmbeddings: true,
    });
    expect(config.layers.map(({ window }) => window).slice(4, 7)).toEqual([1024, null, 1024]);
  });

  test("Qwen2-VL", () => {
    const config = readModelConfig(qwen);
    expect(config).toMatchObject({ hiddenSize: 1536, tiedEmbeddings: true, contextLength: 32_768 });
    expect(config.layers[27]).toEqual({ rope: { theta: 1e6, headDim: 128 }, window: null });
  });
});

describe("names of the language model are those of its checkpoint", () => {
  const namesOf = (json: object, stored: readonly string[]): string[] => {
    const all = [...expectedTensors(readModelConfig(json, stored))].map(([name]) => name);
    return [all[0], all[1], all.at(-1) ?? ""];
  };

  test.each([
    ["language_model.model.", "language_model.lm_head.weight"],
    ["model.language_model.", "lm_head.weight"],
  ])("LLaVA within %s", (base, head) => {
    const stored = ["vision_tower.encoder.layers.0.x", `${base}layers.0.mlp.up_proj.weight`];
    expect(namesOf(llava, stored)).toEqual([
      `${base}embed_tokens.weight`,
      `${base}layers.0.input_layernorm.weight`,
      head,
    ]);
  });

  test.each(["model.", "model.language_model."])("Qwen2-VL within %s", (base) => {
    const [embedding, norm, last] = namesOf(qwen, [`${base}layers.0.mlp.up_proj.weight`]);
    expect([embedding, norm, last]).toEqual([
      `${base}embed_tokens.weight`,
      `${base}layers.0.input_layernorm.weight`,
      `${base}norm.weight`,
    ]);
  });
});

describe("what is refused", () => {
  test.each([
    [{ ...llava, text_config: undefined }, FormatError, /expected text_config/],
    [{ ...llava, text_config: 3 }, FormatError, /text_config.* got 3/],
    [{ ...llava, text_config: { model_type: "gpt2" } }, UnsupportedError, /"gpt2".* in a llava/],
    [{ ...llava, model_type: "idefics" }, UnsupportedError, /several parts/],
    [
      { ...gemma, text_config: { ...gemma.text_config, final_logit_softcapping: 30 } },
      UnsupportedError,
      /final_logit_softcapping 30/,
    ],
    [
      { ...qwen, rope_scaling: { type: "mrope", mrope_section: [16, 24, 23] } },
      FormatError,
      /mrope_section in rope_scaling .* 64 pairs .*\[16,24,23\]/,
    ],
    [
      { ...qwen, rope_scaling: { type: "mrope", mrope_section: "all" } },
      FormatError,
      /mrope_section/,
    ],
  ])("%#", (json, kind, message) => {
    expect(() => readModelConfig(json)).toThrow(kind);
    expect(() => readModelConfig(json)).toThrow(message);
  });
});

/** As transformers' configuration of each family has it. */
test.each([
  ["llava", true, false, true],
  ["llava", false, true, true],
  ["llava", undefined, true, true],
  ["llava", false, undefined, false],
  ["llava", undefined, undefined, false],
  ["llava_next", true, false, true],
  ["llava_next", false, true, false],
  ["llava_next", undefined, true, false],
])("embeddings of a %s tied by %s outside, %s inside: %s", (type, outside, inside, tied) => {
  const json = {
    ...llava,
    model_type: type,
    tie_word_embeddings: outside,
    text_config: { ...llava.text_config, tie_word_embeddings: inside },
  };
  expect(readModelConfig(json).tiedEmbeddings).toBe(tied);
});

test.each([
  [undefined, false, true],
  [undefined, undefined, true],
  [false, true, false],
])("embeddings of a Gemma 3 with images by %s outside, %s inside: %s", (outside, inside, tied) => {
  const { config } = readModelCase("gemma3-images");
  const text = config.text_config as object;
  const json = {
    ...config,
    tie_word_embeddings: outside,
    text_config: { ...text, tie_word_embeddings: inside },
  };
  expect(readModelConfig(json).tiedEmbeddings).toBe(tied);
});
