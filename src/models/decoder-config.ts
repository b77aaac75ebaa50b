import type { RopeConfig } from "../nn/rope.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import type { DecoderFields } from "./decoder-fields.ts";
import { readRope } from "./read-rope.ts";

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

/**
 * Joins the shared fields and what the family says.
 * @throws FormatError when sizes do not fit together
 * @throws UnsupportedError for an activation or a rope type that is not known
 */
export function decoderConfig(fields: DecoderFields, traits: DecoderTraits): DecoderConfig {
  const { defaults = {} } = traits;
  const heads = fields.num_attention_heads;
  const stated = fields.num_key_value_heads;
  const kvHeads = (stated === undefined ? defaults.kvHeads : stated) ?? heads;
  if (heads % kvHeads !== 0) {
    throw new FormatError(
      `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ` +
        `${kvHeads}`,
    );
  }
  const headDim = headDimOf(fields, defaults.headDim);
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
    rope: readRope(fields, headDim, contextLength, defaults.ropeTheta ?? 10_000),
    tiedEmbeddings: fields.tie_word_embeddings ?? defaults.tiedEmbeddings ?? false,
    biases: traits.biases,
    headNorms: traits.headNorms,
    layers: traits.layers,
  };
}

function headDimOf(fields: DecoderFields, byDefault: number | undefined): number {
  const { hidden_size: hiddenSize, num_attention_heads: heads } = fields;
  if (fields.head_dim === null && byDefault !== undefined) {
    throw new FormatError(
      `config.json: head_dim is null, but ${fields.model_type} has a head_dim of its own`,
      { hint: `leave it out for ${byDefault}, or take it from the shape of q_norm.weight` },
    );
  }
  const headDim = fields.head_dim ?? byDefault ?? Math.floor(hiddenSize / heads);
  if (headDim > 0 && headDim % 2 === 0) return headDim;
  throw new FormatError(
    `config.json: expected an even head_dim, got ${headDim} ` +
      `(hidden_size ${hiddenSize}, num_attention_heads ${heads})`,
  );
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

/** The biases that `attention_bias` and `mlp_bias` ask for. */
export function biasesOf({ attention_bias: bias, mlp_bias: mlp }: DecoderFields) {
  return { qkv: bias, output: bias, mlp } satisfies DecoderConfig["biases"];
}
