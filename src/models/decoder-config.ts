import { z } from "zod";
import type { RopeConfig } from "../nn/rope.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { parseValue } from "../util/parse-value.ts";

/** What differs from block to block. */
export interface DecoderLayerConfig {
  /** Whether queries and keys are rotated by their position. */
  readonly rope: boolean;
  /** Tokens that a query sees, itself included; null means all before it. */
  readonly window: number | null;
}

/** A decoder-only transformer, whatever the family: what `DecoderModel` runs. */
export interface DecoderConfig {
  /** `model_type` of the Hugging Face config. */
  readonly modelType: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly vocabularySize: number;
  /** Longest sequence the model was made for, in tokens. */
  readonly contextLength: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly normEps: number;
  /** Gate of the MLP. */
  readonly activation: "silu" | "gelu" | "gelu-tanh";
  readonly rope: RopeConfig;
  /** Whether the output head is the embedding. */
  readonly tiedEmbeddings: boolean;
  /** Which linears have biases. */
  readonly biases: { readonly qkv: boolean; readonly output: boolean; readonly mlp: boolean };
  /** Whether each head of queries and keys goes through an RMSNorm before it is rotated. */
  readonly headNorms: boolean;
  /** One entry a block. */
  readonly layers: readonly DecoderLayerConfig[];
}

const count = z.number().int().positive();

const ropeFields = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  factor: z.number().positive().nullish(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: count.nullish(),
  partial_rotary_factor: z.number().optional(),
});

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
  rope_theta: z.number().positive().nullish(),
  rope_scaling: ropeFields.nullish(),
  rope_parameters: ropeFields.nullish(),
  partial_rotary_factor: z.number().nullish(),
  use_sliding_window: z.boolean().default(false),
  sliding_window: count.nullish(),
  max_window_layers: z.number().int().nonnegative().nullish(),
  layer_types: z.array(z.string()).nullish(),
  no_rope_layers: z.array(z.number()).nullish(),
  no_rope_layer_interval: count.nullish(),
});

/** The shared fields of `config.json`, checked. */
export type DecoderFields = z.infer<typeof decoderFields>;

/** What a family says beyond the shared fields. */
export interface DecoderTraits {
  readonly biases: DecoderConfig["biases"];
  readonly headNorms: boolean;
  readonly layers: readonly DecoderLayerConfig[];
  /** What the config means where it leaves a field out. */
  readonly defaults?: {
    readonly contextLength?: number;
    readonly headDim?: number;
    readonly kvHeads?: number;
    readonly ropeTheta?: number;
    readonly tiedEmbeddings?: boolean;
  };
}

/** Checks shared fields of a `config.json`. @throws FormatError naming the first wrong field */
export function parseDecoderFields(json: unknown): DecoderFields {
  const hint = "the file must be the config.json of a Hugging Face checkpoint";
  return parseValue(
    decoderFields,
    json,
    ({ text }) => new FormatError(`config.json: ${text}`, { hint }),
  );
}

/**
 * Joins the shared fields and what the family says.
 * @throws FormatError when sizes do not fit together
 * @throws UnsupportedError for an activation or a rope type that is not known
 */
export function decoderConfig(fields: DecoderFields, traits: DecoderTraits): DecoderConfig {
  const { defaults = {} } = traits;
  const heads = fields.num_attention_heads;
  const kvHeads = fields.num_key_value_heads ?? defaults.kvHeads ?? heads;
  if (heads % kvHeads !== 0) {
    throw new FormatError(
      `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ` +
        `${kvHeads}`,
    );
  }
  const headDim = fields.head_dim ?? defaults.headDim ?? fields.hidden_size / heads;
  if (headDim % 2 !== 0) {
    throw new FormatError(
      `config.json: expected an even head_dim, got ${headDim} ` +
        `(hidden_size ${fields.hidden_size}, num_attention_heads ${heads})`,
    );
  }
  const contextLength = fields.max_position_embeddings ?? defaults.contextLength ?? 2048;
  return {
    modelType: fields.model_type,
    hiddenSize: fields.hidden_size,
    intermediateSize: fields.intermediate_size,
    vocabularySize: fields.vocab_size,
    contextLength,
    heads,
    kvHeads,
    headDim,
    normEps: fields.rms_norm_eps,
    activation: activationOf(fields.hidden_act),
    rope: ropeConfig(fields, headDim, contextLength, defaults.ropeTheta ?? 10_000),
    tiedEmbeddings: fields.tie_word_embeddings ?? defaults.tiedEmbeddings ?? false,
    biases: traits.biases,
    headNorms: traits.headNorms,
    layers: traits.layers,
  };
}

const activations: Readonly<Record<string, DecoderConfig["activation"]>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_pytorch_tanh: "gelu-tanh",
  gelu_new: "gelu-tanh",
};

function activationOf(name: string): DecoderConfig["activation"] {
  if (Object.hasOwn(activations, name)) return activations[name];
  throw new UnsupportedError(`config.json: hidden_act "${name}" is not supported`, {
    hint: `supported: ${Object.keys(activations).join(", ")}`,
  });
}

/** Reads both spellings: `rope_theta` with `rope_scaling`, and the newer `rope_parameters`. */
function ropeConfig(
  fields: DecoderFields,
  headDim: number,
  contextLength: number,
  defaultTheta: number,
): RopeConfig {
  const stated = fields.rope_parameters ?? fields.rope_scaling ?? {};
  const theta = stated.rope_theta ?? fields.rope_theta ?? defaultTheta;
  const rotated = stated.partial_rotary_factor ?? fields.partial_rotary_factor ?? 1;
  if (rotated !== 1) {
    throw new UnsupportedError(
      `config.json: partial_rotary_factor ${rotated} is not supported, only whole heads are ` +
        "rotated",
    );
  }
  const kind = stated.rope_type ?? stated.type ?? "default";
  if (kind === "default") return { theta, headDim };
  if (kind === "linear") {
    return { theta, headDim, scaling: { kind, factor: ropeField(stated, "factor") } };
  }
  if (kind === "llama3") {
    const scaling = {
      kind: "llama3" as const,
      factor: ropeField(stated, "factor"),
      lowFrequencyFactor: ropeField(stated, "low_freq_factor"),
      highFrequencyFactor: ropeField(stated, "high_freq_factor"),
      originalContext: stated.original_max_position_embeddings ?? contextLength,
    };
    return { theta, headDim, scaling };
  }
  throw new UnsupportedError(`config.json: rope_type "${kind}" is not supported`, {
    hint: "supported: default, linear, llama3",
  });
}

function ropeField(
  stated: z.infer<typeof ropeFields>,
  name: "factor" | "low_freq_factor" | "high_freq_factor",
): number {
  const value = stated[name];
  if (typeof value === "number") return value;
  throw new FormatError(
    `config.json: rope_type "${stated.rope_type ?? stated.type}" needs ${name}`,
  );
}

/** The biases that `attention_bias` and `mlp_bias` ask for. */
export function biasesOf({ attention_bias: bias, mlp_bias: mlp }: DecoderFields) {
  return { qkv: bias, output: bias, mlp } satisfies DecoderConfig["biases"];
}

/** The same for every block: all rotated, all with one window. */
export function uniformLayers(
  fields: DecoderFields,
  window: number | null = null,
): DecoderLayerConfig[] {
  return Array.from({ length: fields.num_hidden_layers }, () => ({ rope: true, window }));
}

/**
 * Reads which blocks slide: by `layer_types` where the config has them, else by `slides(index)`;
 * none do unless `use_sliding_window` and `sliding_window` are set.
 * @throws FormatError when `layer_types` is too short or asks for a window that is not there
 * @throws UnsupportedError for a layer type that is not known
 */
export function layerWindows(
  fields: DecoderFields,
  slides: (index: number) => boolean,
): (number | null)[] {
  const window = fields.use_sliding_window ? (fields.sliding_window ?? null) : null;
  const types = fields.layer_types;
  return Array.from({ length: fields.num_hidden_layers }, (_, index) => {
    if (!types) return slides(index) ? window : null;
    const type = types[index];
    if (type === "full_attention") return null;
    if (type === undefined) {
      throw new FormatError(
        `config.json: expected ${fields.num_hidden_layers} layer_types, got ${types.length}`,
      );
    }
    if (type !== "sliding_attention") {
      throw new UnsupportedError(`config.json: layer type "${type}" is not supported`);
    }
    if (window === null) {
      throw new FormatError(
        `config.json: layer_types[${index}] slides, but use_sliding_window or sliding_window is ` +
          "not set",
      );
    }
    return window;
  });
}
