import type { Products } from "../backend/packed-operand.ts";
import { type KvCache, type KvCacheDType, kvCacheDTypes } from "../nn/kv-cache.ts";
import { monotonicMs } from "../platform/node.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { eventLoopTurns } from "./event-loop-turns.ts";
import type { LanguageModel } from "./language-model.ts";
import { checkSampling, type SamplingOptions, sampleToken } from "./sampling.ts";
import { TokenSequence } from "./token-sequence.ts";
import { type FinishReason, GeneratedText } from "./generated-text.ts";

/** What to generate. */
export interface GenerateOptions extends SamplingOptions {
  /** A text, which the start token is put in front of, or ids, which are taken as they are. */
  readonly prompt: string | ArrayLike<number>;
  /** Most tokens to generate; by default 256, or what the context has left when that is less. */
  readonly maxTokens?: number;
  /** Seed of the draws; default 0. */
  readonly seed?: number;
  /** Texts that end the generation; they are not given out. */
  readonly stop?: readonly string[];
  /** Continue after tokens that end a text. */
  readonly ignoreEos?: boolean;
  /** Prompt tokens a pass; default 512. Only memory and time depend on it. */
  readonly prefillChunk?: number;
  /**
   * What keys and values are kept as; default what the model rounds them to, else `f16`, from which
   * `f32` takes over if it must.
   */
  readonly kvCache?: KvCacheDType;
  /** How packed weights multiply: `fast` (default) rounds inputs to 8 bits, `exact` does not. */
  readonly products?: Products;
  readonly signal?: AbortSignal | undefined;
}

/** A token that was generated. */
export interface GeneratedToken {
  readonly token: number;
  /** Text that became certain with it; empty while a character or a stop string is incomplete. */
  readonly text: string;
}

/** What a generation cost. */
export interface GenerationStats {
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly finishReason: FinishReason;
  /** How packed weights were multiplied. */
  readonly products: Products;
  /** Time until the first token's logits. */
  readonly prefillMs: number;
  readonly prefillTokensPerSecond: number;
  /** Time of the passes after the first token's. */
  readonly decodeMs: number;
  /** Tokens after the first one, a second; 0 when there were none. */
  readonly decodeTokensPerSecond: number;
  /** What keys and values were kept as at the end. */
  readonly kvCache: KvCacheDType;
  /** They did not fit into float16, which was to keep them: float32 took over. */
  readonly kvCacheOverflowed: boolean;
  /** Bytes of the key-value cache at the end. */
  readonly kvCacheBytes: number;
}

/** A whole generation. */
export interface Generation {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly stats: GenerationStats;
}

/**
 * Generates token by token; the generator's return value says what it cost. Greedy unless a
 * temperature is given; the same seed gives the same tokens.
 * @throws UsageError for an empty prompt, options outside their range, or when prompt and tokens
 * exceed
 *   the context
 * @throws CancelledError when `signal` is aborted
 */
export async function* generate(
  languageModel: LanguageModel,
  options: GenerateOptions,
): AsyncGenerator<GeneratedToken, GenerationStats, void> {
  checkSampling(options);
  const { kvCache = languageModel.kvCacheOr("f16"), products = "fast" } = options;
  checkKvCache(kvCache);
  const { tokenizer } = languageModel;
  const prompt = promptIds(languageModel, options.prompt);
  const maxTokens = tokenBudget(languageModel, prompt.length, options.maxTokens);
  const prng = new Prng(options.seed ?? 0);
  const output = new GeneratedText({
    decode: (ids) => tokenizer.decode(ids, { skipSpecial: true }),
    prompt,
    stop: options.stop ?? [],
    eosIds: options.ignoreEos ? [] : tokenizer.eosIds,
    maxTokens,
  });
  const breathe = eventLoopTurns();
  const { prefillChunk = 512, signal } = options;
  const capacity = prompt.length + maxTokens;
  const reading = { capacity, kvCache, prefillChunk, products, signal };
  const sequence = new TokenSequence(languageModel, reading);
  const seen = new Set(prompt);
  try {
    const prefillStart = monotonicMs();
    let logits = await sequence.read(prompt);
    const prefillMs = monotonicMs() - prefillStart;
    let decodeMs = 0;
    for (let count = 1; ; count++) {
      const token = sampleToken(logits, options, seen, prng);
      seen.add(token);
      const { text, finishReason } = output.push(token);
      yield { token, text };
      if (finishReason) {
        const promptTokens = prompt.length;
        const counts = { promptTokens, generatedTokens: count, finishReason, products };
        return stats(counts, { prefillMs, decodeMs }, { asked: kvCache, cache: sequence.cache });
      }
      throwIfCancelled(signal);
      const decodeStart = monotonicMs();
      logits = await sequence.read([token]);
      decodeMs += monotonicMs() - decodeStart;
      await breathe();
    }
  } finally {
    sequence.release();
  }
}

/** Generates a whole text; `onToken` sees each token as it comes. Errors as of `generate`. */
export async function generateText(
  languageModel: LanguageModel,
  options: GenerateOptions,
  onToken?: (generated: GeneratedToken) => void,
): Promise<Generation> {
  const tokens: number[] = [];
  let text = "";
  const generator = generate(languageModel, options);
  for (;;) {
    const next = await generator.next();
    if (next.done) return { text, tokens, stats: next.value };
    tokens.push(next.value.token);
    text += next.value.text;
    onToken?.(next.value);
  }
}

function checkKvCache(dtype: string): void {
  if ((kvCacheDTypes as readonly string[]).includes(dtype)) return;
  throw new UsageError(`the key-value cache must be ${kvCacheDTypes.join(", ")}, got "${dtype}"`);
}

function promptIds({ tokenizer }: LanguageModel, prompt: string | ArrayLike<number>): number[] {
  const ids =
    typeof prompt === "string"
      ? [...tokenizer.startIds, ...tokenizer.encode(prompt)]
      : Array.from(prompt);
  if (ids.length > 0) return ids;
  throw new UsageError("the prompt is empty, and this model has no token that begins a text", {
    hint: "give a prompt of at least one character",
  });
}

function tokenBudget(
  { config }: LanguageModel,
  promptLength: number,
  asked: number | undefined,
): number {
  const room = config.contextLength - promptLength;
  if (asked !== undefined && (!Number.isInteger(asked) || asked < 1)) {
    throw new UsageError(`the number of tokens to generate must be 1 or more, got ${asked}`);
  }
  if (room < 1 || (asked !== undefined && asked > room)) {
    const wanted = asked === undefined ? "" : ` and ${asked} new ones`;
    throw new UsageError(
      `${promptLength} prompt tokens${wanted} exceed the model's context of ` +
        `${config.contextLength} tokens`,
      { hint: room < 1 ? "shorten the prompt" : `ask for at most ${room} tokens` },
    );
  }
  return asked ?? Math.min(256, room);
}

function stats(
  counts: Pick<GenerationStats, "promptTokens" | "generatedTokens" | "finishReason" | "products">,
  times: Pick<GenerationStats, "prefillMs" | "decodeMs">,
  { asked, cache }: { readonly asked: KvCacheDType; readonly cache: KvCache },
): GenerationStats {
  const { promptTokens, generatedTokens } = counts;
  const { prefillMs, decodeMs } = times;
  return {
    ...counts,
    ...times,
    prefillTokensPerSecond: (1000 * promptTokens) / prefillMs,
    decodeTokensPerSecond: generatedTokens > 1 ? (1000 * (generatedTokens - 1)) / decodeMs : 0,
    kvCache: cache.dtype,
    kvCacheOverflowed: cache.dtype !== asked,
    kvCacheBytes: cache.sizeBytes,
  };
}
