import type { Products } from "../backend/packed-operand.ts";
import type { KvCache, KvCacheDType } from "../nn/kv-cache.ts";
import { type Tensor, tidy } from "../tensor/tensor.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import type { LanguageModel } from "./language-model.ts";

/** How a sequence is read. */
export interface SequenceOptions {
  /** Tokens that there is room for. */
  readonly capacity: number;
  readonly kvCache: KvCacheDType;
  /** Tokens a pass. */
  readonly prefillChunk: number;
  readonly products: Products;
  readonly signal?: AbortSignal | undefined;
}

/** What reading tokens gives. */
interface ReadTokens {
  /** After the last of them. */
  readonly logits: Float32Array;
  readonly overflows: boolean;
}

/**
 * Tokens that a model has read, with their keys and values. A cache in float16 that cannot hold
 * them (65504 is the largest value there) gives way to one in float32: all tokens are read again.
 */
export class TokenSequence {
  private readonly model: LanguageModel;
  private readonly options: SequenceOptions;
  private readonly ids: number[] = [];
  private held: KvCache;

  /** @throws UsageError for chunks of no token */
  constructor(model: LanguageModel, options: SequenceOptions) {
    const { capacity, kvCache, prefillChunk } = options;
    if (!Number.isInteger(prefillChunk) || prefillChunk < 1) {
      throw new UsageError(`the prefill chunk must be 1 token or more, got ${prefillChunk}`);
    }
    this.model = model;
    this.options = options;
    this.held = model.newCache(capacity, 1, kvCache);
  }

  /** Keys and values as they are kept now. */
  get cache(): KvCache {
    return this.held;
  }

  /** Reads more tokens, at least one, in chunks; resolves to the logits after the last. */
  async read(more: readonly number[]): Promise<Float32Array> {
    const position = this.held.length;
    this.ids.push(...more);
    const { logits, overflows } = await this.readFrom(position);
    if (!overflows) return logits;
    this.held.release();
    this.held = this.model.newCache(this.options.capacity, 1, "f32");
    return (await this.readFrom(0)).logits;
  }

  /** Gives the memory of the cache back. */
  release(): void {
    this.held.release();
  }

  /** Reads the ids from a position on; tells whether their keys or values exceed the cache's dtype. */
  private async readFrom(position: number): Promise<ReadTokens> {
    const { model, ids, held: cache } = this;
    const { prefillChunk, products, signal } = this.options;
    let start = position;
    for (; ids.length - start > prefillChunk; start += prefillChunk) {
      throwIfCancelled(signal);
      const chunk = model.tokens([ids.slice(start, start + prefillChunk)]);
      model.hiddenStates(chunk, { cache, products }).release();
      await model.backend.synchronize();
    }
    throwIfCancelled(signal);
    const last = this.logitsAfter(ids.slice(start));
    const [logits, overflows] = await Promise.all([last.read(), cache.overflows(position)]);
    last.release();
    return { logits, overflows };
  }

  /** Runs ids behind those in the cache. */
  private logitsAfter(ids: readonly number[]): Tensor<"f32"> {
    const { model, held: cache } = this;
    const { products } = this.options;
    return tidy(() => {
      const hidden = model.hiddenStates(model.tokens([ids]), { cache, products });
      const rows = hidden.reshape([ids.length, model.config.hiddenSize]);
      return model.logits(rows.slice(ids.length - 1, ids.length), products);
    });
  }
}
