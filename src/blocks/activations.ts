import type { Backend } from "../backend/backend.ts";
import type { ActivationWindows } from "../calibration/activation-windows.ts";
import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import { sha256 } from "../platform/node.ts";
import { writeRows } from "../tensor/cache-ops.ts";
import { cast } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { throwIfCancelled } from "../util/errors.ts";
import { embedWindows, type GivenRows } from "./embed-windows.ts";
import {
  type ActivationDType,
  type ActivationStore,
  DiskStore,
  MemoryStore,
} from "./activation-store.ts";

const tokensPerPass = 2048;

/** Where activations are kept, and how. */
export interface ActivationPlace {
  readonly dtype: ActivationDType;
  /** A file that does not exist yet; null keeps them in memory. */
  readonly path: string | null;
}

const inMemory: ActivationPlace = { dtype: "f32", path: null };

/** Where what is made of activations is kept. */
interface MappedPlace {
  /** A file that does not exist yet; null keeps them in memory. */
  readonly path: string | null;
  readonly signal?: AbortSignal | undefined;
}

/** Windows that are run together. */
interface Pass {
  readonly first: number;
  readonly count: number;
}

/** How windows are embedded. */
interface EmbedOptions {
  /** Default: in memory, in float32. */
  readonly place?: ActivationPlace;
  readonly given?: GivenRows | null;
}

/**
 * The residual stream of all calibration windows in front of the block at work,
 * `[length, hiddenSize]` each, in memory or on the disk.
 */
export class ActivationCache implements ActivationWindows {
  readonly windows: number;
  readonly length: number;
  private readonly perPass: number;
  private readonly store: ActivationStore;

  private constructor(windows: number, length: number, perPass: number, store: ActivationStore) {
    this.windows = windows;
    this.length = length;
    this.perPass = perPass;
    this.store = store;
  }

  /** Embeds windows of equal length; images in them have the embeddings that were `given`. */
  static async embed(
    backend: Backend,
    model: QuantizableModel,
    windows: readonly Int32Array[],
    { place: { dtype, path } = inMemory, given = null }: EmbedOptions = {},
  ): Promise<ActivationCache> {
    const length = windows[0]?.length ?? 0;
    const perPass = Math.max(1, Math.floor(tokensPerPass / length));
    const store =
      path === null
        ? new MemoryStore(perPass, dtype)
        : await DiskStore.create(backend, path, dtype, [length, model.hiddenSize]);
    const cache = new ActivationCache(windows.length, length, perPass, store);
    for (const { first, count } of cache.passes()) {
      const pass = windows.slice(first, first + count);
      const embedded = await embedWindows(backend, model, pass, given);
      await store.save(first, embedded, "the embeddings");
    }
    return cache;
  }

  /**
   * Makes another one of what `change` gives for each pass of this one, whose first window is
   * `first`, in float32, in memory or in the file `path`.
   */
  async map(
    change: (hidden: Tensor<"f32">, first: number) => Tensor<"f32"> | Promise<Tensor<"f32">>,
    where: MappedPlace,
  ): Promise<ActivationCache> {
    return this.mapPasses(async ({ first, count }) => {
      const hidden = await this.store.load(first, count);
      const next = await change(hidden, first);
      await next.backend.synchronize();
      this.store.done(hidden);
      return next;
    }, where);
  }

  /** As `map`, of each pass of this and of another one of as many windows. */
  async mapWith(
    other: ActivationCache,
    change: (own: Tensor<"f32">, others: Tensor<"f32">) => Promise<Tensor<"f32">>,
    where: MappedPlace,
  ): Promise<ActivationCache> {
    return this.mapPasses(async ({ first, count }) => {
      const own = await this.store.load(first, count);
      const others = await other.store.load(first, count);
      const next = await change(own, others);
      await next.backend.synchronize();
      this.store.done(own);
      other.store.done(others);
      return next;
    }, where);
  }

  private async mapPasses(
    make: (pass: Pass) => Promise<Tensor<"f32">>,
    { path, signal }: MappedPlace,
  ): Promise<ActivationCache> {
    const { windows, length, perPass } = this;
    let store: ActivationStore | null = path === null ? new MemoryStore(perPass, "f32") : null;
    for (const pass of this.passes()) {
      throwIfCancelled(signal);
      const next = await make(pass);
      store ??= await DiskStore.create(next.backend, path ?? "", "f32", next.shape.slice(1));
      await store.save(pass.first, next, "what was made of activations");
    }
    return new ActivationCache(windows, length, perPass, store ?? new MemoryStore(perPass, "f32"));
  }

  /** Puts what `combine` gives for each pass of this and of another one in the place of this. */
  async merge(
    other: ActivationCache,
    combine: (own: Tensor<"f32">, others: Tensor<"f32">) => Tensor<"f32">,
    { what, signal }: { readonly what: string; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    for (const { first, count } of this.passes()) {
      throwIfCancelled(signal);
      const own = await this.store.load(first, count);
      const others = await other.store.load(first, count);
      const next = combine(own, others);
      await next.backend.synchronize();
      this.store.done(own);
      other.store.done(others);
      await this.store.save(first, next, what);
    }
  }

  /** Puts another one of as many windows in the place of this; the other stays what it is. */
  async replace(other: ActivationCache, what: string): Promise<void> {
    for (const { first, count } of this.passes()) {
      const others = await other.store.load(first, count);
      const next = cast(others, "f32");
      await next.backend.synchronize();
      other.store.done(others);
      await this.store.save(first, next, what);
    }
  }

  /** Calibration tokens in all. */
  get tokens(): number {
    return this.windows * this.length;
  }

  /** Runs each pass through a block and keeps what comes out. */
  async advance(model: QuantizableModel, block: Block, signal?: AbortSignal): Promise<void> {
    for (const { first, count } of this.passes()) {
      throwIfCancelled(signal);
      const hidden = await this.store.load(first, count);
      const next = model.forwardBlock(block, hidden, { position: 0 });
      this.store.done(hidden);
      if (next) await this.store.save(first, next, `the outputs of ${block.name}`);
      await hidden.backend.synchronize();
    }
  }

  /**
   * Calls `visit` with `[windows, length, hiddenSize]`, a few windows at a time, waiting for the
   * work that it enqueued; only with those that make up the first `tokens`, if given.
   */
  async forEach(
    visit: (hidden: Tensor<"f32">) => void,
    signal?: AbortSignal,
    tokens: number = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    for (const { first, count } of this.passes()) {
      if (first * this.length >= tokens) return;
      throwIfCancelled(signal);
      const hidden = await this.store.load(first, count);
      visit(hidden);
      await hidden.backend.synchronize();
      this.store.done(hidden);
    }
  }

  /**
   * Loads the first windows that make up `tokens`, in tensors `[windows, length, hiddenSize]`, for
   * as long as `body` works with them.
   */
  async withFirst<T>(
    tokens: number,
    body: (hidden: readonly Tensor<"f32">[]) => Promise<T>,
  ): Promise<T> {
    const loaded: Tensor<"f32">[] = [];
    for (const { first, count } of this.passes()) {
      if (first * this.length >= tokens) break;
      loaded.push(await this.store.load(first, count));
    }
    try {
      return await body(loaded);
    } finally {
      for (const hidden of loaded) this.store.done(hidden);
    }
  }

  async take(indices: readonly number[]): Promise<Tensor<"f32">> {
    const { length } = this;
    let taken: Tensor<"f32"> | null = null;
    for (const [row, index] of indices.entries()) {
      const window = await this.store.load(index, 1);
      const width = window.shape[2] ?? 0;
      taken ??= Tensor.empty(window.backend, "f32", [indices.length, length, width]);
      writeRows(taken.reshape([1, indices.length * length, width]), window, row * length);
      this.store.done(window);
    }
    if (taken) return taken;
    throw new RangeError("expected the index of at least one window");
  }

  /** Hashes a part of the activations: whatever goes wrong on the way to them shows in any part. */
  async fingerprint(): Promise<string> {
    if (this.windows === 0) return sha256(new Uint8Array());
    const hidden = await this.store.load(0, Math.min(this.perPass, this.windows));
    const values = await hidden.read();
    this.store.done(hidden);
    return sha256(values);
  }

  /** Gives memory and files back. */
  async release(): Promise<void> {
    await this.store.release();
  }

  private *passes(): Generator<Pass> {
    for (let first = 0; first < this.windows; first += this.perPass) {
      yield { first, count: Math.min(this.perPass, this.windows - first) };
    }
  }
}
