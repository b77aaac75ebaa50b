import type { KvRounding } from "../quant/activation-grid.ts";
import type { RopeConfig } from "../nn/rope.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import type { DecoderFields } from "./decoder-fields.ts";
import { type DecoderNames, llamaNames } from "./decoder-names.ts";
import type { ExpertConfig } from "./expert-config.ts";
import { readRope, type RopeDefaults } from "./read-rope.ts";

/** What differs from block to block. */
export interface DecoderLayerConfig {
  /** How queries and keys are rotated by their position; null where they are not. */
  readonly rope: RopeConfig | null;
  /** Tokens that a query sees, itself included; null means all before it. */
  readonly window: number | null;
  /** Whether experts stand in the place of its MLP. */
  readonly sparse?: boolean;
}

/** What all norms of a model compute. */
export interface NormConfig {
  /** `rms`: `x / √(mean(x²) + eps) · w`. `layer`: of x less its mean. */
  readonly kind: "rms" | "layer";
  readonly eps: number;
  /** Whether there is a bias to add. */
  readonly bias: boolean;
  /** What has to be added to stored weights: Gemma stores w of the factor 1 + w. */
  readonly offset: 0 | 1;
}

/** A table of learned positions that are added to the embedding. */
export interface LearnedPositions {
  /** Rows of the table. */
  readonly rows: number;
  /** Row of the first position. */
  readonly first: number;
}

/** A decoder-only transformer, whatever the family: what `DecoderModel` runs. */
export interface DecoderConfig {
  /** `model_type` of the Hugging Face config. */
  readonly modelType: string;
  /** What it is made of, and what that is called in checkpoints. */
  readonly names: DecoderNames;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly vocabularySize: number;
  /** Width of the embedding and of what the head reads; mostly `hiddenSize`. */
  readonly embeddingSize: number;
  /** Longest sequence the model was made for, in tokens. */
  readonly contextLength: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly norm: NormConfig;
  /** Of the gate of the MLP; without a gate, of what goes up. */
  readonly activation: "silu" | "gelu" | "gelu-tanh" | "relu" | "relu-squared";
  /** Whether the output head is the embedding. */
  readonly tiedEmbeddings: boolean;
  /** Which linears have biases. */
  readonly biases: {
    readonly qkv: boolean;
    readonly output: boolean;
    readonly mlp: boolean;
    readonly head: boolean;
  };
  /**
   * What norms of queries and keys, where there are any, go over: `each` head by itself, `own` also
   * with weights of its own, `apart` with these in a tensor a head and without biases, or `all`
   * heads together.
   */
  readonly headNorms: "each" | "own" | "apart" | "all";
  /**
   * How the rows of a joined `queryKeyValue` lie: first all queries, then keys, then values; or
   * query, key and value of each head side by side.
   */
  readonly joined: "parts" | "heads";
  /**
   * Whether attention and MLP both read the block's input, through one norm where `mlp` has none.
   */
  readonly parallel: boolean;
  /** Factor on the scores. */
  readonly attentionScale: number;
  /** What values are multiplied by: embeddings, what blocks add to the stream, logits. */
  readonly multipliers: {
    readonly embedding: number;
    readonly residual: number;
    readonly logits: number;
  };
  /** Bounds of scores and logits, `cap · tanh(x / cap)`; null where there is none. */
  readonly caps: { readonly scores: number | null; readonly logits: number | null };
  /** Learned positions; null where there are none. */
  readonly positions: LearnedPositions | null;
  /**
   * How many pairs of channels are rotated by time, row and column of an image; absent where one
   * position is all. In a text the three are the same: nothing is computed by it.
   */
  readonly positionSections?: readonly number[];
  /** Whether matrices of blocks are stored as `[in, out]`. */
  readonly storedTransposed: boolean;
  /** What blocks that are mixtures have for experts; absent where no block is one. */
  readonly experts?: ExpertConfig;
  /** One entry a block. */
  readonly layers: readonly DecoderLayerConfig[];
  /** What the checkpoint says that keys and values are rounded to; null: nothing. */
  readonly kvCache: KvRounding | null;
  /** How often each block runs in a row with the same weights: what it gives, it gets next. */
  readonly blockRuns: number;
}

/** What a family says of a block: `rope` true stands for the config's own fields. */
export interface LayerTraits {
  readonly rope: boolean | Partial<DecoderFields>;
  readonly window: number | null;
  readonly sparse?: boolean;
}

/** What a family says beyond the shared fields; what it leaves out is as in Llama. */
export interface DecoderTraits
  extends Partial<
    Pick<
      DecoderConfig,
      | "names"
      | "embeddingSize"
      | "headNorms"
      | "joined"
      | "parallel"
      | "attentionScale"
      | "positions"
      | "storedTransposed"
      | "experts"
      | "blockRuns"
    >
  > {
  readonly layers: readonly LayerTraits[];
  readonly norm?: Partial<NormConfig>;
  readonly biases?: Partial<DecoderConfig["biases"]>;
  readonly multipliers?: Partial<DecoderConfig["multipliers"]>;
  readonly caps?: Partial<DecoderConfig["caps"]>;
  /** What the config means where it leaves a field out. */
  readonly defaults?: RopeDefaults & {
    readonly contextLength?: number;
    readonly headDim?: number;
    readonly kvHeads?: number;
    readonly intermediateSize?: number;
    readonly tiedEmbeddings?: boolean;
    readonly activation?: string;
  };
}

/**
 * Joins the shared fields and what the family says.
 * @throws FormatError when sizes do not fit together
 * @throws UnsupportedError for an activation or a rope type that is not known
 */
export function decoderConfig(fields: DecoderFields, traits: DecoderTraits): DecoderConfig {
  const { defaults = {}, norm, biases, multipliers, caps, layers, ...rest } = traits;
  const heads = fields.num_attention_heads;
  const headDim = headDimOf(fields, defaults.headDim);
  const contextLength = fields.max_position_embeddings ?? defaults.contextLength ?? 2048;
  const sizes = { headDim, contextLength, modelType: fields.model_type };
  return {
    modelType: fields.model_type,
    names: llamaNames,
    hiddenSize: fields.hidden_size,
    intermediateSize: intermediateSizeOf(fields, defaults.intermediateSize),
    vocabularySize: fields.vocab_size,
    embeddingSize: fields.hidden_size,
    contextLength,
    heads,
    kvHeads: kvHeadsOf(fields, defaults.kvHeads),
    headDim,
    norm: { kind: "rms", eps: fields.rms_norm_eps ?? 1e-6, bias: false, offset: 0, ...norm },
    activation: activationOf(fields.hidden_act ?? defaults.activation ?? "silu"),
    tiedEmbeddings: fields.tie_word_embeddings ?? defaults.tiedEmbeddings ?? false,
    biases: { qkv: false, output: false, mlp: false, head: false, ...biases },
    headNorms: "each",
    joined: "parts",
    parallel: false,
    attentionScale: headDim ** -0.5,
    multipliers: { embedding: 1, residual: 1, logits: 1, ...multipliers },
    caps: { scores: null, logits: null, ...caps },
    positions: null,
    storedTransposed: false,
    kvCache: null,
    blockRuns: 1,
    ...rest,
    layers: layersOf(layers, fields, (stated) => readRope(stated, sizes, defaults)),
  };
}

/** Blocks that are rotated alike have one `RopeConfig`. */
function layersOf(
  layers: readonly LayerTraits[],
  fields: DecoderFields,
  read: (fields: DecoderFields) => RopeConfig,
): DecoderLayerConfig[] {
  const known = new Map<LayerTraits["rope"], RopeConfig>();
  return layers.map(({ rope, ...rest }) => {
    if (rope === false) return { ...rest, rope: null };
    const found = known.get(rope) ?? read(rope === true ? fields : { ...fields, ...rope });
    known.set(rope, found);
    return { ...rest, rope: found };
  });
}

function kvHeadsOf(fields: DecoderFields, byDefault: number | undefined): number {
  const { num_attention_heads: heads, num_key_value_heads: stated } = fields;
  const kvHeads = (stated === undefined ? byDefault : stated) ?? heads;
  if (heads % kvHeads === 0) return kvHeads;
  throw new FormatError(
    `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${kvHeads}`,
  );
}

function intermediateSizeOf(fields: DecoderFields, byDefault: number | undefined): number {
  const size = fields.intermediate_size ?? byDefault;
  if (size !== undefined) return size;
  throw new FormatError("config.json: expected a positive intermediate_size, got none");
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
  gelu_fast: "gelu-tanh",
  relu: "relu",
  relu2: "relu-squared",
};

function activationOf(name: string): DecoderConfig["activation"] {
  if (Object.hasOwn(activations, name)) return activations[name];
  throw new UnsupportedError(`config.json: hidden_act "${name}" is not supported`, {
    hint: `supported: ${Object.keys(activations).join(", ")}`,
  });
}

/** The biases that `attention_bias` and `mlp_bias` ask for. */
export function biasesOf({
  attention_bias: bias = false,
  mlp_bias: mlp = false,
}: DecoderFields): Partial<DecoderConfig["biases"]> {
  return { qkv: bias, output: bias, mlp };
}

/**
 * Checks that the heads make up the hidden size, in families that have no other width of a head.
 * @throws FormatError where they do not
 */
export function expectWholeHeads(fields: DecoderFields): void {
  const { hidden_size: hiddenSize, num_attention_heads: heads, head_dim: headDim } = fields;
  if ((headDim ?? null) !== null || hiddenSize % heads === 0) return;
  throw new FormatError(
    `config.json: hidden_size ${hiddenSize} is not a multiple of num_attention_heads ${heads}`,
  );
}

/**
 * Returns the fields of a family whose heads make up the hidden size: a `head_dim` means nothing to it.
 * @throws FormatError where the heads do not make it up
 */
export function wholeHeads(fields: DecoderFields): DecoderFields {
  const { head_dim: _, ...stated } = fields;
  expectWholeHeads(stated);
  return stated;
}

/**
 * The same of a family whose heads all have keys of their own, too, whatever its config says.
 * @throws FormatError where the heads do not make up the hidden size
 */
export function multiHead(fields: DecoderFields): DecoderFields {
  const { num_key_value_heads: _, ...stated } = wholeHeads(fields);
  return stated;
}

/** Blocks that all see every token before. */
export function fullLayers(
  { num_hidden_layers: blocks }: DecoderFields,
  rope = true,
): LayerTraits[] {
  return Array.from({ length: blocks }, () => ({ rope, window: null }));
}
