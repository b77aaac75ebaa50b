import { monotonicMs } from "../../platform/node.ts";
import { UsageError } from "../../util/errors.ts";
import type { LanguageModel } from "../language-model.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { EngineStats } from "./engine-stats.ts";
import { EngineClosedError } from "./serving-errors.ts";

/** A model that a pool may load. */
export interface PooledModel {
  /** Its name in requests. */
  readonly name: string;
  /** What leads to it: a directory, a file, or `hf:owner/name`. */
  readonly source: string;
  readonly engine?: EngineOptions;
}

/** What a pool loads and how long it keeps it. */
export interface ModelPoolOptions {
  readonly models: readonly PooledModel[];
  readonly load: (model: PooledModel) => Promise<LanguageModel>;
  /** How long a model that nobody uses stays in memory; default for ever. */
  readonly idleMs?: number;
  /** Bytes of weights and caches together; models that nobody uses go, the longest unused first. */
  readonly maxBytes?: number;
}

/** A model of a pool as it is now. */
export interface PooledModelState extends PooledModel {
  readonly state: "unloaded" | "loading" | "loaded";
  readonly uses: number;
  /** Of its weights and its cache; 0 where it is not loaded. */
  readonly bytes: number;
  readonly stats: EngineStats | null;
  /** How it is run; null where it is not loaded. */
  readonly options: Engine["options"] | null;
}

/** An engine that stays loaded until it is given back. */
export interface EngineLease {
  readonly engine: Engine;
  release(): void;
}

interface Entry {
  readonly model: PooledModel;
  engine: Promise<Engine> | null;
  loaded: Engine | null;
  uses: number;
  usedMs: number;
  timer: ReturnType<typeof setTimeout> | null;
}

/** Several models by name, loaded when they are asked for. */
export class ModelPool {
  private readonly options: ModelPoolOptions;
  private readonly entries: ReadonlyMap<string, Entry>;
  private closed = false;

  /** @throws UsageError for no model, or two of one name */
  constructor(options: ModelPoolOptions) {
    this.options = options;
    const entries = new Map<string, Entry>();
    for (const model of options.models) {
      if (entries.has(model.name)) {
        throw new UsageError(`two models are named "${model.name}"`, {
          hint: "give one of them another name",
        });
      }
      const fresh = { engine: null, loaded: null, uses: 0, usedMs: 0, timer: null };
      entries.set(model.name, { model, ...fresh });
    }
    if (entries.size === 0) throw new UsageError("there is no model to serve");
    this.entries = entries;
  }

  /** Whether there is a model of this name. */
  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** All models in the order in which they were given. */
  list(): PooledModelState[] {
    return [...this.entries.values()].map(({ model, engine, loaded, uses }) => ({
      ...model,
      state: loaded ? "loaded" : engine ? "loading" : "unloaded",
      uses,
      bytes: loaded ? bytesOf(loaded) : 0,
      stats: loaded?.stats() ?? null,
      options: loaded?.options ?? null,
    }));
  }

  /**
   * Loads a model unless it is there, and keeps it until the lease is released.
   * @throws UsageError for a name that no model has
   * @throws EngineClosedError when the pool was closed
   * @throws what loading throws; the next one who asks tries again
   */
  async acquire(name: string): Promise<EngineLease> {
    if (this.closed) throw new EngineClosedError("the server is shutting down");
    const entry = this.entries.get(name);
    if (!entry) {
      throw new UsageError(`there is no model "${name}"`, {
        field: "model",
        hint: `there are: ${[...this.entries.keys()].join(", ")}`,
      });
    }
    entry.uses++;
    if (entry.timer) clearTimeout(entry.timer);
    entry.timer = null;
    try {
      const engine = await (entry.engine ??= this.load(entry));
      return { engine, release: this.releaseOnce(entry) };
    } catch (error) {
      entry.uses--;
      throw error;
    }
  }

  /** Closes all engines, which have `deadlineMs` to finish, and gives all memory back. */
  async close(deadlineMs: number = 0): Promise<void> {
    this.closed = true;
    await Promise.all([...this.entries.values()].map((entry) => this.unload(entry, deadlineMs)));
  }

  private async load(entry: Entry): Promise<Engine> {
    try {
      await this.makeRoom(entry);
      const model = await this.options.load(entry.model);
      entry.loaded = new Engine(model, entry.model.engine);
      await this.makeRoom(entry);
      return entry.loaded;
    } catch (error) {
      entry.engine = null;
      throw error;
    }
  }

  private releaseOnce(entry: Entry): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      entry.uses--;
      entry.usedMs = monotonicMs();
      const { idleMs } = this.options;
      if (entry.uses > 0 || idleMs === undefined) return;
      entry.timer = setTimeout(() => void this.unload(entry, 0), idleMs);
      entry.timer.unref();
    };
  }

  /** Unloads what nobody uses until the limit is kept; what is in use stays. */
  private async makeRoom(wanted: Entry): Promise<void> {
    const { maxBytes = Infinity } = this.options;
    for (;;) {
      const loaded = [...this.entries.values()].filter((entry) => entry.loaded);
      const bytes = loaded.reduce((sum, { loaded }) => sum + (loaded ? bytesOf(loaded) : 0), 0);
      const idle = loaded.filter((entry) => entry.uses === 0 && entry !== wanted);
      if (bytes <= maxBytes || idle.length === 0) return;
      await this.unload(
        idle.reduce((a, b) => (a.usedMs <= b.usedMs ? a : b)),
        0,
      );
    }
  }

  private async unload(entry: Entry, deadlineMs: number): Promise<void> {
    if (entry.timer) clearTimeout(entry.timer);
    entry.timer = null;
    const pending = entry.engine;
    if (!pending) return;
    const engine = await pending.catch(() => null);
    // Somebody may have asked for it in the meantime.
    if (!engine || entry.engine !== pending || (entry.uses > 0 && !this.closed)) return;
    entry.engine = null;
    entry.loaded = null;
    await engine.close(deadlineMs);
    engine.model.release();
  }
}

function bytesOf(engine: Engine): number {
  const { file, others } = engine.model.sizes;
  return file.bytes - others.bytes + engine.stats().kvCacheBytes;
}
