import type { Prng } from "../../src/util/prng.ts";
import { type Fields, some, yes } from "./draw-fields.ts";
import { choose, type Json } from "./subject.ts";
import { lateWindows, textFamilies } from "./text-families.ts";

const small = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  patch_size: 4,
};
const clip = { ...small, model_type: "clip_vision_model", image_size: 8 };
const siglip = { ...small, model_type: "siglip_vision_model", image_size: 16 };
const visual = {
  depth: 2,
  embed_dim: 16,
  hidden_size: 32,
  num_heads: 2,
  mlp_ratio: 2,
  patch_size: 4,
};
const visual25 = {
  depth: 2,
  hidden_size: 16,
  out_hidden_size: 32,
  intermediate_size: 24,
  num_heads: 2,
  patch_size: 4,
  fullatt_block_indexes: [1],
  window_size: 16,
};
const marks = { image_token_id: 71, video_token_id: 70 };

/** Says of the whole, too, whether embedding and head are one, or nothing. */
const ties = (random: Prng): Fields => some(random, 0.5, { tie_word_embeddings: yes(random) });

/** A LLaVA with one of the language models that it may have; without a name it is a Llama. */
function llava(random: Prng): Fields {
  const type = choose(random, ["llama", "mistral", "qwen2"]);
  const text = textFamilies[type](random);
  const named = type !== "llama" || yes(random);
  return {
    text_config: named ? { model_type: type, ...text } : text,
    vision_config: clip,
    image_token_index: 71,
    ...ties(random),
  };
}

/** The fields of a Qwen2 whose rotations have a section for each of three positions. */
function sectioned(random: Prng): Fields {
  const { head_dim: _, rope_parameters, rope_scaling, ...text } = textFamilies.llama(random);
  const pairs = 16 / Number(text.num_attention_heads);
  const first = 1 + random.below(pairs - 2);
  const second = 1 + random.below(pairs - first - 1);
  const sections = { mrope_section: [first, second, pairs - first - second] };
  const { attention_bias: _1, mlp_bias: _2, ...plain } = text;
  const rest = { ...plain, ...lateWindows(random) };
  const put = (rope: Json | undefined): Fields => ({ ...(rope as Fields), ...sections });
  if (rope_parameters !== undefined) return { ...rest, rope_parameters: put(rope_parameters) };
  if (rope_scaling === undefined) {
    const type = choose(random, ["mrope", "default"]);
    return { ...rest, rope_scaling: put({ type }) };
  }
  return { ...rest, rope_scaling: put(rope_scaling) };
}

/** A Qwen2-VL, whose fields of the language model stand beside the others or by themselves. */
function qwenVl(random: Prng, type: string, vision: Fields): Fields {
  const text = sectioned(random);
  const whole = { vision_config: vision, ...marks };
  if (yes(random)) return { ...text, ...whole };
  const named = yes(random) ? { model_type: `${type}_text` } : {};
  return { ...whole, text_config: { ...named, ...text }, ...ties(random) };
}

/** Fields of families with a tower for images, drawn anew for each case. */
export const towerFamilies: Readonly<Record<string, (random: Prng) => Fields>> = {
  llava,
  llava_next: (random) => ({
    ...llava(random),
    image_grid_pinpoints: [
      [8, 16],
      [16, 8],
    ],
  }),
  qwen2_vl: (random) => qwenVl(random, "qwen2_vl", visual),
  qwen2_5_vl: (random) => qwenVl(random, "qwen2_5_vl", visual25),
  gemma3(random) {
    const { final_logit_softcapping: _, ...text } = textFamilies.gemma3_text(random);
    const named = yes(random) ? { model_type: "gemma3_text" } : {};
    return {
      text_config: { ...named, ...text },
      vision_config: siglip,
      image_token_index: 71,
      boi_token_index: 70,
      eoi_token_index: 69,
      mm_tokens_per_image: 4,
      ...ties(random),
    };
  },
};
