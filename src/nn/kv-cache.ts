import type { AttentionOptions } from "../backend/kernels.ts";
import type { Backend } from "../backend/backend.ts";
import { bytesPerElement } from "../tensor/dtype.ts";
import { attention } from "../tensor/ops.ts";
import { storedLength } from "../tensor/four-bit-rows.ts";
import { quantizeRows, type RowPosition, writeRows } from "../tensor/cache-ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import { countNonFiniteBits } from "../util/half.ts";
import type { KvCacheLayer } from "./kv-cache-layer.ts";

/**
 * What keys and values are kept as: float32, float16 (rounded to nearest), or integers of 8 or 4 bits
 * with one float32 scale a token and key head (`max|x| / 127`, `max|x| / 7`).
 */
export type KvCacheDType = "f32" | "f16" | "i8" | "i4";

/** All that a cache can be, the most exact first. */
export const kvCacheDTypes: readonly KvCacheDType[] = ["f32", "f16", "i8", "i4"];

/** Shape of a key-value cache. */
export interface KvCacheOptions {
  /** Number of transformer blocks. */
  readonly blocks: number;
  /** How often each of them runs in a row, with keys and values of its own each time; default 1. */
  readonly runs?: number;
  /** Rows that are generated together. */
  readonly batch?: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Tokens to make room for at once. */
  readonly capacity: number;
  /** Tokens that the cache may grow to; `capacity` when absent. */
  readonly maxCapacity?: number;
  /** Default: `f32`. */
  readonly dtype?: KvCacheDType;
  /** Whether int8 keys and values have integers for scales: a multiplier and a shift each. */
  readonly factors?: boolean;
}

/** Tokens whose keys and values are looked through together: copies of long prompts would be large. */
const tokensAtOnce = 256;

/**
 * Keys and values of the tokens seen so far, one layer for each run of a block, each
 * `[batch, capacity, kvHeads, headDim]`. Layers with a sliding window keep all tokens, too.
 */
export class KvCache {
  readonly dtype: KvCacheDType;
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
    this.dtype = options.dtype ?? "f32";
    this.capacity = options.capacity;
    const { blocks, runs = 1 } = options;
    this.layers = Array.from({ length: blocks * runs }, () => this.allocate());
  }

  /** Keys and values of block `index`, with those of its further runs. */
  layer(index: number): KvCacheLayer {
    const { runs = 1 } = this.options;
    const own = this.layers.slice(index * runs, (index + 1) * runs);
    return own.reduceRight((nextRun, layer) => ({ ...layer, nextRun }));
  }

  /** Number of layers, one for each run of a block. */
  get layerCount(): number {
    return this.layers.length;
  }

  /** Bytes of all keys and values and their scales at the present capacity. */
  get sizeBytes(): number {
    const tensors = this.layers.flatMap(tensorsOf);
    return tensors.reduce((sum, { dtype, size }) => sum + bytesPerElement(dtype) * size, 0);
  }

  /** Makes room for `count` more tokens. @throws UsageError when the cache may not grow that far */
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

  /**
   * Tells whether keys or values of tokens from `position` on became infinite or NaN in float16.
   */
  async overflows(position: number): Promise<boolean> {
    if (this.dtype !== "f16") return false;
    for (let first = position; first < this.length; first += tokensAtOnce) {
      const end = Math.min(this.length, first + tokensAtOnce);
      const written = tidy(() => this.rowsOf(first, end));
      const bits = await written.read();
      written.release();
      if (countNonFiniteBits(bits, 0x7c00) > 0) return true;
    }
    return false;
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

  /**
   * Rows of all layers of tokens `[first, end)`, one behind the other: to wait for a read of each would
   * take longer than a small model's step.
   */
  private rowsOf(first: number, end: number): Tensor<"f16"> {
    const { batch = 1, kvHeads, headDim } = this.options;
    const tensors = this.layers.flatMap(tensorsOf);
    const length = end - first;
    const count = tensors.length * batch * length;
    const all = Tensor.zeros(this.backend, "f16", [1, count, kvHeads, headDim]);
    for (const [i, tensor] of tensors.entries()) {
      const rows = tensor.reshape([batch * this.capacity, kvHeads, headDim]);
      for (let row = 0; row < batch; row++) {
        const start = row * this.capacity;
        const some = rows.slice(start + first, start + end);
        writeRows(all, some.reshape([1, length, kvHeads, headDim]), (i * batch + row) * length);
      }
    }
    return all;
  }

  private grow(capacity: number): void {
    this.capacity = capacity;
    this.layers = this.layers.map((old) => {
      const layer = this.allocate();
      const from = tensorsOf(old);
      for (const [i, tensor] of tensorsOf(layer).entries()) writeRows(tensor, from[i], 0);
      releaseLayer(old);
      return layer;
    });
  }

  private allocate(): KvCacheLayer {
    const { batch = 1, kvHeads, headDim, factors = false } = this.options;
    const rows = [batch, this.capacity, kvHeads];
    const dtype = this.dtype === "i4" ? "u8" : this.dtype;
    const codes = () => Tensor.zeros(this.backend, dtype, [...rows, storedLength(dtype, headDim)]);
    const scales = (): Tensor =>
      factors
        ? Tensor.zeros(this.backend, "i32", [...rows, 2])
        : Tensor.zeros(this.backend, "f32", rows);
    return {
      keys: codes(),
      values: codes(),
      scales: dtype === "i8" || dtype === "u8" ? { keys: scales(), values: scales() } : null,
    };
  }
}

/**
 * Writes the keys and values `[batch, length, kvHeads, headDim]` of the tokens from `position` on, or
 * to the slots that it names, into a layer, rounded or quantized to what it holds.
 */
export function writeLayer(layer: KvCacheLayer, k: Tensor, v: Tensor, position: RowPosition): void {
  const { keys, values, scales } = layer;
  if (scales) {
    quantizeRows(keys as Tensor<"i8" | "u8">, scales.keys as Tensor<"f32">, k, position);
    quantizeRows(values as Tensor<"i8" | "u8">, scales.values as Tensor<"f32">, v, position);
  } else {
    writeRows(keys, k, position);
    writeRows(values, v, position);
  }
}

/** Attention of q over the keys and values of a layer; see `Kernels.attention`. */
export function attendLayer(
  q: Tensor,
  { keys, values, scales }: KvCacheLayer,
  options: AttentionOptions,
): Tensor<"f32"> {
  if (!scales) return attention(q, keys, values, options);
  const { keys: keyScales, values: valueScales } = scales;
  return attention(q, keys, values, { ...options, keyScales, valueScales });
}

function tensorsOf({ keys, values, scales }: KvCacheLayer): Tensor[] {
  return scales ? [keys, values, scales.keys, scales.values] : [keys, values];
}

function releaseLayer(layer: KvCacheLayer): void {
  for (const tensor of tensorsOf(layer)) tensor.release();
}
