import type { Products } from "../../backend/packed-operand.ts";
import type { KvCacheDType } from "../../nn/kv-cache.ts";
import { monotonicMs } from "../../platform/node.ts";
import { type Tensor, tidy } from "../../tensor/tensor.ts";
import { CancelledError, UsageError } from "../../util/errors.ts";
import { Prng } from "../../util/prng.ts";
import { type FinishReason, GeneratedText } from "../generated-text.ts";
import type { LanguageModel } from "../language-model.ts";
import { TokenSequence } from "../token-sequence.ts";
import { adjustLogits, checkRequestSampling, chooseToken, logprobsOf } from "./choose-token.ts";
import type { EngineRequest, EngineTokens } from "./engine-request.ts";
import { EngineClosedError, QueueFullError } from "./serving-errors.ts";
import { TokenStream } from "./token-stream.ts";

/** How an engine runs its model. */
export interface EngineOptions {
  /** Most requests that wait; default 64. */
  readonly maxQueued?: number;
  /** Most tokens of prompt and answer together; default (and at most) the model's context. */
  readonly maxContext?: number;
  readonly kvCache?: KvCacheDType;
  /** How packed weights multiply; default `fast`. */
  readonly products?: Products;
  /** Of the seeds that requests without one get; default 0. */
  readonly seed?: number;
}

/** What an engine is doing. */
export interface EngineStats {
  readonly queued: number;
  readonly running: number;
  readonly kvBlocks: { readonly used: number; readonly cached: number; readonly free: number };
  readonly kvCacheBytes: number;
  /** Since the engine began. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly generatedTokens: number;
  readonly finishedRequests: number;
  readonly cancelledRequests: number;
  readonly preemptions: number;
  /** Of the last seconds in which there was work. */
  readonly tokensPerSecond: number;
}

interface Job {
  readonly request: EngineRequest;
  readonly stream: TokenStream;
  readonly submittedMs: number;
  readonly seed: number;
  cancelled: boolean;
}

/** Runs requests to one model. */
export class Engine {
  readonly model: LanguageModel;
  private readonly options: EngineOptions;
  private readonly waiting: Job[] = [];
  private readonly seeds: Prng;
  private running: Job | null = null;
  private closing = false;
  private done: Promise<void> = Promise.resolve();
  private counts = { promptTokens: 0, generatedTokens: 0, finished: 0, cancelled: 0 };

  constructor(model: LanguageModel, options: EngineOptions = {}) {
    this.model = model;
    this.options = options;
    this.seeds = new Prng(options.seed ?? 0);
  }

  /** Most tokens of prompt and answer together. */
  get maxContext(): number {
    const { contextLength } = this.model.config;
    return Math.min(this.options.maxContext ?? contextLength, contextLength);
  }

  /**
   * Takes a request; its tokens come as they are made, whether they are read or not. A reader that
   * stops, and a signal that is aborted, end it between two passes.
   * @throws UsageError for a request that cannot be run, before anything is done
   * @throws QueueFullError when too many are waiting
   * @throws EngineClosedError when the engine is closing
   */
  submit(request: EngineRequest): EngineTokens {
    if (this.closing) throw new EngineClosedError();
    this.check(request);
    const { maxQueued = 64 } = this.options;
    if (this.waiting.length >= maxQueued) throw new QueueFullError(this.waiting.length, 1);
    const job: Job = {
      request,
      stream: new TokenStream(() => {
        job.cancelled = true;
      }),
      submittedMs: monotonicMs(),
      seed: request.seed ?? this.seeds.uint32(),
      cancelled: false,
    };
    request.signal?.addEventListener("abort", () => {
      job.cancelled = true;
    });
    this.waiting.push(job);
    if (!this.running && this.waiting.length === 1) this.done = this.work();
    return job.stream;
  }

  /**
   * Returns the mean of the last hidden states of a text, of length 1.
   * @throws UsageError for a text of no token, or of more than the context
   */
  async embed(ids: readonly number[]): Promise<Float32Array> {
    this.check({ prompt: ids, maxTokens: 0 });
    const { model } = this;
    const hidden = tidy(() => {
      const states = model.hiddenStates(model.tokens([ids]), { products: this.products });
      return states.reshape([ids.length, model.config.hiddenSize]) as Tensor<"f32">;
    });
    const values = await hidden.read();
    hidden.release();
    return normalizedMean(values, model.config.hiddenSize);
  }

  stats(): EngineStats {
    const { promptTokens, generatedTokens, finished, cancelled } = this.counts;
    return {
      queued: this.waiting.length,
      running: this.running ? 1 : 0,
      kvBlocks: { used: 0, cached: 0, free: 0 },
      kvCacheBytes: 0,
      promptTokens,
      cachedTokens: 0,
      generatedTokens,
      finishedRequests: finished,
      cancelledRequests: cancelled,
      preemptions: 0,
      tokensPerSecond: 0,
    };
  }

  /** Takes no more requests; those that are not done after `deadlineMs` end with an error. */
  async close(deadlineMs: number = 0): Promise<void> {
    this.closing = true;
    const timer = setTimeout(() => {
      for (const job of this.waiting) job.cancelled = true;
      if (this.running) this.running.cancelled = true;
    }, deadlineMs);
    await this.done;
    clearTimeout(timer);
  }

  private get products(): Products {
    return this.options.products ?? "fast";
  }

  private check({ prompt, maxTokens, sampling = {} }: EngineRequest): void {
    const { vocabularySize } = this.model.config;
    if (prompt.length === 0) throw new UsageError("the prompt is empty", { field: "prompt" });
    const unknown = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
    if (unknown !== undefined) {
      throw new UsageError(
        `token ${unknown} is not in the vocabulary of ${vocabularySize} tokens`,
        {
          field: "prompt",
        },
      );
    }
    if (!Number.isInteger(maxTokens) || maxTokens < 0) {
      throw new UsageError(`\`maxTokens\` must be 0 or more, got ${maxTokens}`, {
        field: "maxTokens",
      });
    }
    if (prompt.length + maxTokens > this.maxContext) {
      throw new UsageError(
        `${prompt.length} prompt tokens and ${maxTokens} new ones exceed the context of ` +
          `${this.maxContext} tokens`,
        { field: "prompt", hint: "shorten the prompt, or ask for fewer tokens" },
      );
    }
    checkRequestSampling(sampling, vocabularySize);
  }

  private async work(): Promise<void> {
    for (;;) {
      const job = this.waiting.shift();
      if (!job) return;
      this.running = job;
      try {
        await this.run(job);
        this.counts.finished++;
      } catch (error) {
        this.counts.cancelled++;
        job.stream.fail(error as Error);
      } finally {
        this.running = null;
      }
    }
  }

  private async run(job: Job): Promise<void> {
    const { request, stream, submittedMs, seed } = job;
    const { prompt, maxTokens, sampling = {}, logprobs, constraint } = request;
    const { tokenizer } = this.model;
    const startMs = monotonicMs();
    const prng = new Prng(seed);
    const output = new GeneratedText({
      decode: (ids) => tokenizer.decode(ids, { skipSpecial: true }),
      prompt,
      stop: request.stop ?? [],
      eosIds: request.ignoreEos ? [] : tokenizer.eosIds,
      maxTokens,
    });
    const { kvCache = this.model.kvCacheOr("f16") } = this.options;
    const capacity = Math.max(1, prompt.length + maxTokens);
    const reading = { capacity, kvCache, prefillChunk: 512, products: this.products };
    const sequence = new TokenSequence(this.model, reading);
    const all = new Set(prompt);
    const generated = new Map<number, number>();
    let firstMs = 0;
    let count = 0;
    let finishReason: FinishReason | null = maxTokens === 0 ? "length" : null;
    try {
      let logits = await sequence.read(prompt);
      firstMs = monotonicMs();
      while (finishReason === null) {
        if (job.cancelled || request.signal?.aborted) throw new CancelledError();
        const adjusted = adjustLogits(logits, sampling, { all, generated }, constraint);
        const token = chooseToken(adjusted, sampling, prng);
        count++;
        all.add(token);
        generated.set(token, (generated.get(token) ?? 0) + 1);
        constraint?.accept(token);
        const pushed = output.push(token);
        finishReason = pushed.finishReason ?? (constraint?.isFinished() ? "eos" : null);
        const known =
          logprobs === undefined ? {} : { logprobs: logprobsOf(logits, token, logprobs) };
        stream.push({ token, text: pushed.text, ...known });
        if (finishReason === null) logits = await sequence.read([token]);
      }
    } finally {
      sequence.release();
    }
    this.counts.promptTokens += prompt.length;
    this.counts.generatedTokens += count;
    const [prefillMs, decodeMs] = [firstMs - startMs, monotonicMs() - firstMs];
    stream.finish({
      finishReason,
      usage: {
        promptTokens: prompt.length,
        cachedTokens: 0,
        generatedTokens: count,
        draftedTokens: 0,
        acceptedTokens: 0,
      },
      timings: {
        queuedMs: startMs - submittedMs,
        prefillMs,
        decodeMs,
        prefillTokensPerSecond: (1000 * prompt.length) / prefillMs,
        decodeTokensPerSecond: count > 1 ? (1000 * (count - 1)) / decodeMs : 0,
      },
    });
  }
}

function normalizedMean(states: Float32Array, width: number): Float32Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < states.length; i++) mean[i % width] += states[i];
  const length = Math.sqrt(mean.reduce((sum, x) => sum + x * x, 0));
  return Float32Array.from(mean, (x) => (length === 0 ? 0 : x / length));
}
