import { z } from "zod";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { parseValue } from "../util/parse-value.ts";

/** A whole number above 0. */
export const count = z.number().int().positive();

const amount = z.number().positive();

/** `rope_parameters` or `rope_scaling`. A null is no number, but no missing field either. */
export const ropeFields = z.looseObject({
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
  short_factor: z.array(amount).nullish(),
  long_factor: z.array(amount).nullish(),
});

/** One of the two objects that say how positions become rotations. */
export type RopeFields = z.infer<typeof ropeFields>;

/** Fields of `config.json` that decoders share: Hugging Face names, defaults left to the family. */
const decoderFields = z.looseObject({
  model_type: z.string(),
  hidden_size: count,
  intermediate_size: count.nullish(),
  num_hidden_layers: count.max(100_000),
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  vocab_size: count,
  max_position_embeddings: count.optional(),
  rms_norm_eps: z.number().nonnegative().optional(),
  hidden_act: z.string().optional(),
  tie_word_embeddings: z.boolean().optional(),
  attention_bias: z.boolean().optional(),
  mlp_bias: z.boolean().optional(),
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

/** Names that a family has for shared fields, by the shared names. */
export type FieldAliases = Readonly<Record<string, string>>;

/**
 * Checks shared fields of a `config.json`, which may stand there by a family's own names, too.
 * @throws FormatError naming the first wrong field
 */
export function parseDecoderFields(json: unknown, aliases: FieldAliases = {}): DecoderFields {
  return parseFields(decoderFields, withSharedNames(json, aliases));
}

/**
 * Reads the fields that only one family has.
 * @throws FormatError naming the first wrong field
 */
export function readOwnFields<T extends z.ZodObject>(
  fields: DecoderFields,
  schema: T,
): z.output<T> {
  return parseFields(schema, fields);
}

function parseFields<T extends z.ZodType>(schema: T, json: unknown): z.output<T> {
  const hint = "the file must be the config.json of a Hugging Face checkpoint";
  return parseValue(schema, json, ({ text }) => new FormatError(`config.json: ${text}`, { hint }));
}

/** Returns an error about shared fields as one about a family's own names of them. */
export function inOwnNames(error: unknown, aliases: FieldAliases): unknown {
  const isOfConfig = error instanceof FormatError || error instanceof UnsupportedError;
  const shared = Object.keys(aliases);
  if (!isOfConfig || shared.length === 0) return error;
  const names = new RegExp(`\\b(?:${shared.join("|")})\\b`, "g");
  const named = error.message.replaceAll(names, (name) => aliases[name]);
  const Kind = error instanceof FormatError ? FormatError : UnsupportedError;
  return new Kind(named, { hint: error.hint, cause: error });
}

/** The same fields by their shared names; where both stand there, the family's own counts. */
function withSharedNames(json: unknown, aliases: FieldAliases): unknown {
  if (typeof json !== "object" || json === null) return json;
  const stated = json as Record<string, unknown>;
  const moved = Object.entries(aliases).filter(([, name]) => Object.hasOwn(stated, name));
  return {
    ...stated,
    ...Object.fromEntries(moved.map(([shared, name]) => [shared, stated[name]])),
  };
}

/** Fields that say nothing of what a decoder computes, or only how it was trained. */
const ignored = new Set(
  `architectures auto_map torch_dtype dtype transformers_version use_cache cache_implementation
  is_decoder is_encoder_decoder tie_encoder_decoder prefix problem_type pretraining_tp
  quantization_config task_specific_params finetuning_task tokenizer_class id2label label2id
  num_labels return_dict return_dict_in_generate torchscript pruned_heads chunk_size_feed_forward
  initializer_range initializer_factor init_std gradient_checkpointing attention_dropout
  hidden_dropout classifier_dropout activation_dropout dropout layerdrop resid_pdrop embd_pdrop
  attn_pdrop use_bfloat16 bos_token_id eos_token_id pad_token_id sep_token_id unk_token_id
  decoder_start_token_id forced_bos_token_id forced_eos_token_id max_length min_length
  model_max_length use_flash_attn flash_attn do_sample early_stopping num_beams num_beam_groups
  diversity_penalty temperature top_k top_p typical_p repetition_penalty length_penalty
  no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences
  begin_suppress_tokens suppress_tokens exponential_decay_length_penalty remove_invalid_values
  tf_legacy_loss`.split(/\s+/),
);

/** Families of such fields; those of other programs have a dot, private ones begin with `_`. */
const ignoredKinds = /^(?:summary_|output_|unsloth_|_)|\./;

/** Values that fields must have, where they are stated. */
export type FieldValues = Readonly<Record<string, readonly unknown[]>>;

/**
 * Refuses values that ask for what the decoder does not compute.
 * @throws UnsupportedError naming the first such field
 */
export function expectValues(fields: DecoderFields, values: FieldValues): void {
  for (const [name, allowed] of Object.entries(values)) {
    const value = fields[name];
    if (value === undefined || allowed.includes(value)) continue;
    throw new UnsupportedError(
      `config.json: ${name} ${JSON.stringify(value)} is not supported in a ${fields.model_type}`,
      { hint: `supported: ${allowed.map((each) => JSON.stringify(each)).join(", ")}` },
    );
  }
}

/**
 * Refuses fields of a config that this family does not read, unless they are known to say nothing
 * of what the model computes, or say that something is not there (null, false, nothing in it).
 * @param read names of fields that the family reads besides the shared ones
 * @throws UnsupportedError naming the first such field
 */
export function expectKnownFields(
  json: unknown,
  modelType: string,
  read: ReadonlySet<string>,
): void {
  for (const [name, value] of Object.entries(json as object)) {
    const isKnown = Object.hasOwn(decoderFields.shape, name) || read.has(name);
    if (isKnown || ignored.has(name) || ignoredKinds.test(name) || isNothing(value)) continue;
    throw new UnsupportedError(
      `config.json: the field ${name} is not known of a ${modelType}, and may change its results`,
      { hint: "remove it if it says nothing of what the model computes" },
    );
  }
}

function isNothing(value: unknown): boolean {
  if (value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value as object).length === 0;
}
