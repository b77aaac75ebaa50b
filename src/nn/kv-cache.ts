import type { Backend } from "../backend/backend.ts";
import { writeRows } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { KvCacheLayer } from "./quantizable-model.ts";

/** Shape of a key-value cache. */
export interface KvCacheOptions {
  /** Number of transformer blocks. */
  readonly blocks: number;
  /** Rows that are generated together. */
  readonly batch?: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Tokens to make room for at once. */
  readonly capacity: number;
  /** Tokens that the cache may grow to; `capacity` when absent. */
  readonly maxCapacity?: number;
}

/**
 * Keys and values of the tokens seen so far, float32, one layer a block, each
 * `[batch, capacity, kvHeads, headDim]`. Layers with a sliding window keep all tokens, too.
 */
export class KvCache {
  /** Tokens a layer has room for now. */
  capacity: number;
  /** Tokens that are in the cache. */
  length = 0;
  private readonly backend: Backend;
  private readonly options: KvCacheOptions;
  private layers: KvCacheLayer[];

  constructor(backend: Backend, options: KvCacheOptions) {
    this.backend = backend;
    this.options = options;
    this.capacity = options.capacity;
    this.layers = Array.from({ length: options.blocks }, () => this.allocate());
  }

  /** Keys and values of block `index`. */
  layer(index: number): KvCacheLayer {
    return this.layers[index];
  }

  /** Bytes of all keys and values at the present capacity. */
  get sizeBytes(): number {
    return this.layers.reduce((sum, { keys, values }) => sum + 4 * (keys.size + values.size), 0);
  }

  /**
   * Makes room for `count` more tokens; the capacity doubles when it has to grow.
   * @throws UsageError when the cache may not grow that far
   */
  reserve(count: number): void {
    const needed = this.length + count;
    const limit = this.options.maxCapacity ?? this.options.capacity;
    if (needed > limit) {
      throw new UsageError(`${needed} tokens do not fit the key-value cache of ${limit} tokens`, {
        hint: "shorten the prompt, or ask for fewer tokens",
      });
    }
    if (needed > this.capacity) this.grow(Math.min(limit, Math.max(needed, 2 * this.capacity)));
  }

  /** Counts `count` tokens, which all blocks have written, as seen. */
  advance(count: number): void {
    this.length += count;
  }

  /** Forgets all tokens from `length` on, so that another continuation can be tried. */
  truncate(length: number): void {
    this.length = Math.min(length, this.length);
  }

  /** Gives the memory back. */
  release(): void {
    for (const layer of this.layers) releaseLayer(layer);
    this.layers = [];
    this.capacity = 0;
    this.length = 0;
  }

  private grow(capacity: number): void {
    this.capacity = capacity;
    this.layers = this.layers.map((old) => {
      const layer = this.allocate();
      writeRows(layer.keys, old.keys, 0);
      writeRows(layer.values, old.values, 0);
      releaseLayer(old);
      return layer;
    });
  }

  private allocate(): KvCacheLayer {
    const { batch = 1, kvHeads, headDim } = this.options;
    const shape = [batch, this.capacity, kvHeads, headDim];
    return {
      keys: Tensor.zeros(this.backend, "f32", shape),
      values: Tensor.zeros(this.backend, "f32", shape),
    };
  }
}

function releaseLayer({ keys, values }: KvCacheLayer): void {
  keys.release();
  values.release();
}
