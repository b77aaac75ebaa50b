import type { Backend } from "../backend/backend.ts";
import type { Products } from "../backend/packed-operand.ts";
import type { KvRounding } from "../quant/activation-grid.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { KvCacheLayer } from "./kv-cache-layer.ts";
import type { LinearSlot } from "./linear.ts";
import type { NormWeights } from "./norm.ts";
import type { PagedRows } from "./paged-rows.ts";
import type { RowTree } from "./row-tree.ts";
import type { WeightSource } from "./weight-source.ts";

/** Where rows of tokens stand in their texts. */
export interface RowPlaces {
  /** Position of the first token of each row; 0 without a cache. */
  readonly position: number;
  /** How the rows of the one batch entry make up texts; absent when each batch entry is one. */
  readonly tree?: RowTree;
  /** The texts that the rows of the one batch entry continue, in the cache; absent without. */
  readonly paged?: PagedRows;
}

/** How a block is run. */
export interface BlockPass extends RowPlaces {
  /** Where keys and values are kept between passes; absent when whole windows are run. */
  readonly cache?: KvCacheLayer;
  /** With a tree or paged rows: the rows `[n]` whose results are wanted, in order, as `[1, n, hiddenSize]`. */
  readonly wanted?: Tensor<"i32">;
  /** How packed weights multiply; `exact` when absent. */
  readonly products?: Products;
  /**
   * Called with each linear's slot and its input `[batch, length, inFeatures]`, before it is
   * multiplied; once for each run of a block that runs several times in a row. The input lives
   * until the pass returns. Of a slot that gets some tokens only (an expert's) it is
   * `[tokens, inFeatures]`, `rows [tokens]` says which of the pass, and there is no call where there
   * are none.
   */
  readonly observe?: (slot: LinearSlot, input: Tensor, rows?: Tensor<"i32">) => void;
  /**
   * Stop once all slots of this stage (of `Block.stages`) were observed, in the last run of the
   * block; the result is null.
   */
  readonly untilStage?: string | undefined;
}

/** A part of a block that has an output of its own, before it is added to the residual stream. */
export type BlockPart = "attention" | "mlp";

/** Linears judged together when one of their input channels is scaled (AWQ, SmoothQuant). */
export interface ScaleGroup {
  /** What produces the channels: the name of a norm (a key of `Block.normWeights`) or of a slot. */
  readonly producer: string;
  readonly producerKind: "norm" | "linear";
  /** Slots that consume the channels. */
  readonly consumers: readonly string[];
  /**
   * Gates (of `Block.gates`) that read the channels, too: their columns are scaled alike. The input
   * of the first, which is all tokens, stands for that of the consumers, which get some.
   */
  readonly gates?: readonly string[];
  /** What judges a scaling: the output of a part of the block, or the outputs of the consumers. */
  readonly scope: BlockPart | "consumers";
  /**
   * Channel of the producer that each input column of the consumers comes from; absent where the
   * two are the same. With grouped queries one value channel feeds several columns.
   */
  readonly channelOf?: Int32Array;
}

/**
 * Queries and keys whose channels can be scaled against each other: rows of the queries are divided
 * by factors and those of the keys multiplied, and scores stay as they are. Channels that are rotated
 * together have one factor, and so have those of query heads that share a key head.
 */
export interface ScorePair {
  /** Slots. */
  readonly query: string;
  readonly key: string;
  /** Number of factors. */
  readonly factors: number;
  /** The factor of each row of both. */
  readonly factorOfQuery: Int32Array;
  readonly factorOfKey: Int32Array;
}

/** One transformer block with its weights in memory. */
export interface Block {
  /** Name in the checkpoint, such as `model.layers.3`. */
  readonly name: string;
  readonly slots: readonly LinearSlot[];
  /** Of what is one part of a block: passes begin at its input, and give what it adds. */
  readonly part?: BlockPart;
  /**
   * Slots by the stage in which their inputs come to be, in that order. Slots of one stage share
   * their input, or read rows of it, and do not feed each other. What the last stage gives is added
   * to the output.
   */
  readonly stages: Readonly<Record<string, readonly LinearSlot[]>>;
  /** Weights of norms that feed linears, by names below the block; transforms write in place. */
  readonly normWeights: ReadonlyMap<string, NormWeights>;
  /**
   * Layers of a mixture that say where tokens go. They are never quantized; passes show their inputs
   * as those of slots, in the stage of the experts' inputs.
   */
  readonly gates?: readonly LinearSlot[];
  /** Experts of a mixture: slots that get some of the tokens only, each expert's as one entry. */
  readonly experts?: readonly (readonly LinearSlot[])[];
  /** Slots whose outputs are multiplied with each other before anything else: queries and keys. */
  readonly scoreSlots: readonly string[];
  /**
   * What keys and values are rounded to, each token and key head by its largest magnitude, gradients
   * passing as if they were not (LLM-QAT, arXiv 2305.17888); null where they are not. In passes with
   * a cache, what that keeps counts instead.
   */
  kvCache: KvRounding | null;
}

/** A table in front of or behind the blocks. */
export interface VocabularyTable {
  /** Full name, such as `lm_head`. */
  readonly module: string;
  /** What it serves as; both when embedding and output head are tied. */
  readonly roles: readonly VocabularyRole[];
  /** Vocabulary. */
  readonly outFeatures: number;
  /** Width of the hidden state. */
  readonly inFeatures: number;
}

/** `embedding`: rows are looked up. `head`: hidden states are multiplied by it. */
export type VocabularyRole = "embedding" | "head";

/** A linear layer as it is known before its weights are read. */
export interface LinearDescription {
  /** Full name in the checkpoint, such as `model.layers.3.self_attn.q_proj`. */
  readonly module: string;
  /** Index of its block. */
  readonly block: number;
  /** Name below the block. */
  readonly slot: string;
  /** Number of the expert that it belongs to; absent where every token goes through it. */
  readonly expert?: number;
  readonly outFeatures: number;
  readonly inFeatures: number;
}

/** What the pipeline and the methods see of a model; they never see which model it is. */
export interface QuantizableModel {
  readonly backend: Backend;
  readonly blockCount: number;
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  /** Lists the linear layers of all blocks, without reading them. */
  linears(): readonly LinearDescription[];
  /** Names of layers in blocks that are never quantized: those that choose between experts. */
  gates(): readonly string[];
  /** Lists the tables in front of and behind the blocks: embedding and output head. */
  embeddingAndHead(): readonly VocabularyTable[];
  /** Reads block `index` from the checkpoint, or from another source of the same model. Weights are
   *  float32 unless they are packed. */
  loadBlock(index: number, source?: WeightSource, experts?: "all" | "none"): Promise<Block>;
  /** How many experts block `index` has; 0 where it is no mixture. */
  expertCount(index: number): number;
  /**
   * Reads one expert of a block that was loaded without them, as a block of its own, which shares
   * norms and gates: passes get what the block's MLP reads, and give what this expert adds to it.
   */
  loadExpert(block: Block, expert: number, source?: WeightSource): Promise<Block>;
  /** Gives the memory of a block back: norms, and what the layers hold that stand in its slots now.
   *  A caller that replaces a layer releases the memory of the old one. */
  releaseBlock(block: Block): void;
  /**
   * Reads embedding, final norm and output head (a model is opened with them) from the checkpoint,
   * in 16 bits where they are stored so, or from another source of the same model; nothing happens
   * while they are there.
   */
  loadEmbeddingAndHead(source?: WeightSource): Promise<void>;
  /** Gives embedding, norm and head back; `embed` and `logits` need them loaded again. */
  releaseEmbeddingAndHead(): void;
  /**
   * Embeds ids `[batch, length]`, at the beginning of their texts unless `places` says otherwise,
   * to `[batch, length, hiddenSize]`.
   * @throws UsageError for a position that the model has not learned
   */
  embed(ids: Tensor<"i32">, places?: RowPlaces): Tensor<"f32">;
  /** Runs a block on `[batch, length, hiddenSize]`; null when stopped by `untilStage`. */
  forwardBlock(block: Block, hidden: Tensor, pass: BlockPass): Tensor<"f32"> | null;
  /** Returns what a part of a block adds to the residual stream `[batch, length, hiddenSize]`. */
  forwardPart(block: Block, part: BlockPart, hidden: Tensor): Tensor<"f32">;
  /**
   * Returns what a part of a block reads when the block gets `hidden`, in each run of the block:
   * that itself, or the stream behind attention.
   */
  partInputs(block: Block, part: BlockPart, hidden: Tensor<"f32">): readonly Tensor<"f32">[];
  /** Final norm and output head: `[T, hiddenSize]` to logits `[T, vocabulary]`. */
  logits(hidden: Tensor, products?: Products): Tensor<"f32">;
  /** Lists the scale groups of block `index` in the order of the data, without reading it. */
  scaleGroups(index: number): readonly ScaleGroup[];
  /** Queries and keys of block `index`, where scaling them changes nothing; null elsewhere. */
  scorePair(index: number): ScorePair | null;
}
