import type { Products } from "../../backend/packed-operand.ts";
import { type KvCacheDType, kvCacheDTypes } from "../../nn/kv-cache.ts";
import { UsageError } from "../../util/errors.ts";
import type { LanguageModel } from "../language-model.ts";

/** How tokens are guessed before the model says which they are. What is generated does not change. */
export interface SpeculationOptions {
  /** Guess that what followed the last few tokens before follows them again; default true. */
  readonly lookup?: boolean;
  /** A smaller model with the same vocabulary, which guesses where nothing is looked up. */
  readonly draft?: LanguageModel;
  /** Most tokens that are guessed at once; default 4. */
  readonly tokens?: number;
  /** Texts that may be decoded beside each other while tokens are guessed; default 2. */
  readonly mostRunning?: number;
}

/** How an engine runs its model. */
export interface EngineOptions {
  /** Most requests that wait; default 64. */
  readonly maxQueued?: number;
  /** Longest that a request waits for its first pass, in ms; default two minutes. */
  readonly maxQueuedMs?: number;
  /** Most requests that are run side by side; default 16. */
  readonly maxRunning?: number;
  /** Most tokens of prompt and answer together; default 8192, and at most the model's context. */
  readonly maxContext?: number;
  /** Tokens whose keys and values there is room for; default four times `maxContext`. */
  readonly cacheTokens?: number;
  /** Tokens a block of the cache; default 32. */
  readonly blockSize?: number;
  /** Whether what texts begin with is computed once, as long as there is room; default true. */
  readonly prefixCache?: boolean;
  /** What keys and values are kept as; default what the model rounds them to, else `f16`. */
  readonly kvCache?: KvCacheDType;
  /** How packed weights multiply; default `fast`. */
  readonly products?: Products;
  /** Most tokens a pass; default 512. */
  readonly stepTokens?: number;
  /** Most prompt tokens a pass while other texts are decoded; default 64. */
  readonly prefillBeside?: number;
  readonly speculation?: SpeculationOptions;
  /** Of the seeds that requests without one get; default 0. */
  readonly seed?: number;
}

/** The same with all defaults. */
export type EngineSettings = Required<Omit<EngineOptions, "speculation">> & {
  readonly speculation: Required<Omit<SpeculationOptions, "draft">> & {
    readonly draft: LanguageModel | null;
  };
};

/**
 * Fills in defaults.
 * @throws UsageError for numbers that are out of range, and a draft model with other tokens
 */
export function engineSettings(model: LanguageModel, options: EngineOptions): EngineSettings {
  const { contextLength } = model.config;
  const { maxContext = 8192, kvCache = model.kvCacheOr("f16"), blockSize = 32 } = options;
  const context = Math.min(maxContext, contextLength);
  const { lookup = true, draft = null, tokens = 4, mostRunning = 2 } = options.speculation ?? {};
  const settings = {
    maxQueued: 64,
    maxQueuedMs: 120_000,
    maxRunning: 16,
    prefixCache: true,
    products: "fast",
    stepTokens: 512,
    prefillBeside: 64,
    seed: 0,
    ...definedOf(options),
    maxContext: context,
    blockSize,
    cacheTokens: options.cacheTokens ?? 4 * Math.ceil(context / blockSize) * blockSize,
    kvCache,
    speculation: {
      lookup: options.speculation !== undefined && lookup,
      draft,
      tokens: options.speculation === undefined ? 0 : tokens,
      mostRunning,
    },
  } satisfies EngineSettings;
  checkSettings(settings);
  if (draft) expectSameTokens(model, draft);
  return settings;
}

function definedOf(options: EngineOptions): EngineOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function checkSettings(settings: EngineSettings): void {
  const { cacheTokens, maxContext, blockSize, kvCache, speculation } = settings;
  const counts = ["maxRunning", "maxContext", "stepTokens", "prefillBeside", "blockSize"] as const;
  for (const name of counts) {
    if (Number.isInteger(settings[name]) && settings[name] >= 1) continue;
    throw new UsageError(`\`${name}\` must be 1 or more, got ${settings[name]}`, { field: name });
  }
  if (!Number.isInteger(settings.maxQueued) || settings.maxQueued < 0) {
    throw new UsageError(`\`maxQueued\` must be 0 or more, got ${settings.maxQueued}`);
  }
  if (!(settings.maxQueuedMs > 0)) {
    throw new UsageError(`\`maxQueuedMs\` must be above 0, got ${settings.maxQueuedMs}`, {
      field: "maxQueuedMs",
    });
  }
  if (!Number.isInteger(speculation.tokens) || speculation.tokens < 0) {
    throw new UsageError(`\`speculation.tokens\` must be 0 or more, got ${speculation.tokens}`);
  }
  if (blockSize > 256) {
    throw new UsageError(`\`blockSize\` must be at most 256, got ${blockSize}`);
  }
  if (!kvCacheDTypes.includes(kvCache)) {
    throw new UsageError(`\`kvCache\` must be ${kvCacheDTypes.join(", ")}, got "${kvCache}"`);
  }
  if (Math.floor(cacheTokens / blockSize) * blockSize >= maxContext) return;
  throw new UsageError(
    `a cache of ${cacheTokens} tokens in blocks of ${blockSize} does not hold a text of ${maxContext}`,
    { field: "cacheTokens", hint: "lower `maxContext` or raise `cacheTokens`" },
  );
}

/** @throws UsageError unless both models mean the same by all ids */
function expectSameTokens(model: LanguageModel, draft: LanguageModel): void {
  const [own, other] = [model.tokenizer, draft.tokenizer];
  const size = own.vocabularySize;
  let differs = other.vocabularySize !== size;
  for (let id = 0; id < size && !differs; id++) differs = own.idToToken(id) !== other.idToToken(id);
  if (!differs) return;
  throw new UsageError(`${draft.name} does not have the tokens of ${model.name}`, {
    field: "draft",
    hint: "a draft model must have the same tokenizer",
  });
}
