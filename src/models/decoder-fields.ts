import { z } from "zod";
import { FormatError } from "../util/errors.ts";
import { parseValue } from "../util/parse-value.ts";

const count = z.number().int().positive();

const amount = z.number().positive();

/** `rope_parameters` or `rope_scaling`. A null is no number, but no missing field either. */
const ropeFields = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: amount.nullish(),
  factor: amount.nullish(),
  low_freq_factor: amount.nullish(),
  high_freq_factor: amount.nullish(),
  original_max_position_embeddings: count.nullish(),
  partial_rotary_factor: z.number().nullish(),
  attention_factor: z.number().nonnegative().nullish(),
  beta_fast: amount.nullish(),
  beta_slow: amount.nullish(),
  mscale: z.number().nonnegative().nullish(),
  mscale_all_dim: z.number().nonnegative().nullish(),
  truncate: z.boolean().optional(),
});

/** One of the two objects that say how positions become rotations. */
export type RopeFields = z.infer<typeof ropeFields>;

/** Fields of `config.json` that decoders share: Hugging Face names, defaults left to the family. */
const decoderFields = z.looseObject({
  model_type: z.string(),
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count.max(100_000),
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  vocab_size: count,
  max_position_embeddings: count.optional(),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  hidden_act: z.string().default("silu"),
  tie_word_embeddings: z.boolean().optional(),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  rope_theta: amount.nullish(),
  rope_scaling: ropeFields.nullish(),
  rope_parameters: ropeFields.nullish(),
  original_max_position_embeddings: count.nullish(),
  partial_rotary_factor: z.number().nullish(),
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.number().int().nullish(),
  max_window_layers: z.number().int().optional(),
  layer_types: z.array(z.string()).nullish(),
  no_rope_layers: z.array(z.number()).nullish(),
  no_rope_layer_interval: count.optional(),
});

/** The shared fields of `config.json`, checked. */
export type DecoderFields = z.infer<typeof decoderFields>;

/** Checks shared fields of a `config.json`. @throws FormatError naming the first wrong field */
export function parseDecoderFields(json: unknown): DecoderFields {
  const hint = "the file must be the config.json of a Hugging Face checkpoint";
  return parseValue(
    decoderFields,
    json,
    ({ text }) => new FormatError(`config.json: ${text}`, { hint }),
  );
}
