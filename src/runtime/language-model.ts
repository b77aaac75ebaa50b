import type { Backend } from "../backend/backend.ts";
import type { Products } from "../backend/packed-operand.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { KvCache, type KvCacheDType } from "../nn/kv-cache.ts";
import type { BlockPass, RowPlaces } from "../nn/quantizable-model.ts";
import type { PagedRows } from "../nn/paged-rows.ts";
import type { RowTree } from "../nn/row-tree.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { UnsupportedError, UsageError } from "../util/errors.ts";
import type { ModelSizes } from "./model-sizes.ts";

/** A block that is run as one of a list. */
interface RunnableBlock {
  readonly index: number;
}

/** What runs blocks: between them are tensors of its own dtype. */
interface RunnableDecoder {
  readonly backend: Backend;
  readonly config: DecoderConfig;
  readonly hiddenSize: number;
  /** Whether it computes without floats; absent means no. */
  readonly integerOnly?: boolean;
  /** What its key-value cache has to be; absent where that is for the caller to choose. */
  readonly ownCache?: { readonly dtype: KvCacheDType; readonly factors: boolean };
  embed(ids: Tensor<"i32">, places?: RowPlaces): Tensor;
  forwardBlock(block: RunnableBlock, hidden: Tensor, pass: BlockPass): Tensor | null;
  logits(hidden: Tensor, products?: Products): Tensor<"f32">;
  /** What the output head reads; absent where that is not floats. */
  finalStates?(hidden: Tensor): Tensor<"f32">;
  releaseBlock(block: RunnableBlock): void;
  releaseEmbeddingAndHead(): void;
}

/** What `load` puts together. */
export interface LanguageModelParts {
  readonly directory: string;
  readonly source: string;
  readonly name: string;
  readonly architecture: string;
  readonly schemeId: string | null;
  readonly sizes: ModelSizes;
  readonly model: RunnableDecoder;
  readonly blocks: readonly RunnableBlock[];
  readonly tokenizer: Tokenizer;
}

/** How ids go through all blocks. */
export interface ForwardOptions {
  readonly cache?: KvCache;
  readonly tree?: RowTree;
  /** With a cache of one batch entry: the rows of ids continue texts whose blocks lie in it. */
  readonly paged?: PagedRows;
  /** With a tree or paged rows: the rows whose states are wanted, `[n]`; the result is `[1, n, hiddenSize]`. */
  readonly wanted?: Tensor<"i32">;
  /** How packed weights multiply; default `exact`. */
  readonly products?: Products;
}

/** A model with all its weights in memory and its tokenizer, to evaluate and generate text. */
export class LanguageModel {
  /** The checkpoint: a directory or a GGUF file. */
  readonly directory: string;
  /** What leads to the checkpoint: its path, or `hf:owner/name@commit`. */
  readonly source: string;
  /** Name for people: that of the directory, or of the repository it came from. */
  readonly name: string;
  /** Family for people: `Llama`, `Qwen2`, ... */
  readonly architecture: string;
  /** Scheme that the checkpoint was quantized to; null for float checkpoints. */
  readonly schemeId: string | null;
  readonly sizes: ModelSizes;
  readonly config: DecoderConfig;
  readonly backend: Backend;
  readonly model: RunnableDecoder;
  readonly tokenizer: Tokenizer;
  readonly blocks: readonly RunnableBlock[];

  constructor(parts: LanguageModelParts) {
    this.directory = parts.directory;
    this.source = parts.source;
    this.name = parts.name;
    this.architecture = parts.architecture;
    this.schemeId = parts.schemeId;
    this.sizes = parts.sizes;
    this.config = parts.model.config;
    this.backend = parts.model.backend;
    this.model = parts.model;
    this.tokenizer = parts.tokenizer;
    this.blocks = parts.blocks;
  }

  /** Whether its forward passes are of integers alone. */
  get integerOnly(): boolean {
    return this.model.integerOnly ?? false;
  }

  /**
   * Makes a tensor `[rows, length]` of rows of token ids, all of one length.
   * @throws UsageError when an id is not in the model's vocabulary
   */
  tokens(rows: readonly ArrayLike<number>[]): Tensor<"i32"> {
    const length = rows[0]?.length ?? 0;
    const ids = new Int32Array(rows.length * length);
    const { vocabularySize } = this.config;
    for (const [row, values] of rows.entries()) {
      if (values.length !== length) {
        throw new UsageError(
          `rows of tokens must have one length, got ${length} and ${values.length}`,
        );
      }
      for (let i = 0; i < length; i++) {
        const id = values[i];
        if (!Number.isInteger(id) || id < 0 || id >= vocabularySize) {
          throw new UsageError(`token ${id} is not in the vocabulary of ${vocabularySize} tokens`);
        }
        ids[row * length + i] = id;
      }
    }
    return Tensor.from(this.backend, "i32", [rows.length, length], ids);
  }

  /**
   * Runs ids `[batch, length]` through embedding and all blocks: `[batch, length, hiddenSize]`, to
   * be turned into logits by `logits`. With a cache the ids follow the tokens that it holds; with a
   * tree or paged rows the one row of ids makes up texts.
   * @throws UsageError when the cache may not grow that far
   */
  hiddenStates(
    ids: Tensor<"i32">,
    { cache, tree, paged, wanted, products = "exact" }: ForwardOptions = {},
  ): Tensor {
    const [, length = 0] = ids.shape;
    const position = cache?.length ?? 0;
    if (!paged) cache?.reserve(length);
    const places = { position, ...(tree && { tree }), ...(paged && { paged }) };
    let hidden = this.model.embed(ids, places);
    for (const block of this.blocks) {
      const kept = cache ? { cache: cache.layer(block.index) } : {};
      const rows = wanted && block === this.blocks.at(-1) ? { wanted } : {};
      const pass = { ...places, products, ...kept, ...rows };
      const next = this.model.forwardBlock(block, hidden, pass);
      if (!next) continue;
      hidden.release();
      hidden = next;
    }
    if (!paged) cache?.advance(length);
    return hidden;
  }

  /** Final norm and output head: `[T, hiddenSize]` to logits `[T, vocabulary]`. */
  logits(hidden: Tensor, products: Products = "exact"): Tensor<"f32"> {
    return this.model.logits(hidden, products);
  }

  /**
   * Final hidden states of `[T, hiddenSize]`, behind the last norm.
   * @throws UnsupportedError where they are not floats
   */
  finalStates(hidden: Tensor): Tensor<"f32"> {
    if (this.model.finalStates) return this.model.finalStates(hidden);
    throw new UnsupportedError("a model that runs without floats has no hidden states to give");
  }

  /** What the model keeps keys and values as, or `usual` where it does not round them. */
  kvCacheOr(usual: KvCacheDType): KvCacheDType {
    return this.config.kvCache ?? usual;
  }

  /**
   * Makes an empty key-value cache that grows from `capacity` to `maxCapacity` tokens (default: the
   * context).
   */
  newCache(
    maxCapacity: number = this.config.contextLength,
    batch: number = 1,
    dtype: KvCacheDType = this.kvCacheOr("f32"),
    capacity: number = Math.min(maxCapacity, 256),
  ): KvCache {
    const { kvHeads, headDim } = this.config;
    return new KvCache(this.backend, {
      blocks: this.blocks.length,
      runs: this.config.blockRuns,
      batch,
      dtype,
      ...this.model.ownCache,
      kvHeads,
      headDim,
      capacity,
      maxCapacity,
    });
  }

  /** Gives the memory of all weights back. */
  release(): void {
    for (const block of this.blocks) this.model.releaseBlock(block);
    this.model.releaseEmbeddingAndHead();
  }
}
