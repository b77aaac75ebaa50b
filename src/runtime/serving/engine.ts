import { UnsupportedError, UsageError } from "../../util/errors.ts";
import { Prng } from "../../util/prng.ts";
import type { LanguageModel } from "../language-model.ts";
import { checkRequestSampling } from "./choose-token.ts";
import { EmbedJob, type Pooling } from "./embed-job.ts";
import { type EngineOptions, type EngineSettings, engineSettings } from "./engine-options.ts";
import type { EngineRequest, EngineTokens } from "./engine-request.ts";
import type { EngineStats } from "./engine-stats.ts";
import { GenerateJob } from "./generate-job.ts";
import type { Job } from "./job.ts";
import { Scheduler } from "./scheduler.ts";
import { EngineClosedError, QueueFullError } from "./serving-errors.ts";

/**
 * Runs requests to one model side by side. They join and leave between passes; each pass reads the
 * next token of every text that is decoded, and parts of prompts beside them. What a request gets
 * does not depend on others: not its tokens, not a bit of its logits.
 */
export class Engine {
  readonly model: LanguageModel;
  private readonly settings: EngineSettings;
  private readonly scheduler: Scheduler;
  private readonly seeds: Prng;
  private closing = false;
  private work: Promise<void> = Promise.resolve();

  /**
   * @throws UsageError for options out of range
   * @throws UnsupportedError for models that run without floats
   */
  constructor(model: LanguageModel, options: EngineOptions = {}) {
    if (model.integerOnly) {
      throw new UnsupportedError("a model that runs without floats is not served", {
        hint: "load it without `integerOnly`",
      });
    }
    this.model = model;
    this.settings = engineSettings(model, options);
    this.scheduler = new Scheduler(model, this.settings);
    this.seeds = new Prng(this.settings.seed);
  }

  /** Most tokens of prompt and answer together. */
  get maxContext(): number {
    return this.settings.maxContext;
  }

  /** How it runs its model: the defaults, and what was asked for instead. */
  get options(): Required<Omit<EngineOptions, "speculation">> {
    const { speculation: _, ...options } = this.settings;
    return options;
  }

  /**
   * Takes a request; its tokens come as they are made, whether they are read or not. A reader that
   * stops, and a signal that is aborted, end it between two passes: with CancelledError. One whose
   * turn does not come within `maxQueuedMs` ends with QueueTimeoutError.
   * @throws UsageError for a request that cannot be run, before anything is done
   * @throws QueueFullError when too many are waiting
   * @throws EngineClosedError when the engine is closing
   */
  submit(request: EngineRequest): EngineTokens {
    this.expectOpen();
    this.checkRequest(request);
    this.expectRoom();
    const seed = request.seed ?? this.seeds.uint32();
    const text = this.scheduler.newText(request.prompt);
    const mostGuesses = this.settings.speculation.tokens;
    const job = new GenerateJob(this.model, request, text, { seed, mostGuesses });
    this.enqueue(job);
    return job.stream;
  }

  /**
   * Returns the mean of a text's last hidden states, or the one of its last token, of length 1.
   * @throws UsageError for a text of no token, or of more than the context
   * @throws QueueFullError EngineClosedError CancelledError
   */
  async embed(
    ids: readonly number[],
    {
      pooling = "mean",
      signal,
    }: { readonly pooling?: Pooling; readonly signal?: AbortSignal } = {},
  ): Promise<Float32Array> {
    this.expectOpen();
    this.checkPrompt(ids, 0);
    this.expectRoom();
    const job = new EmbedJob(this.scheduler.newText(ids), pooling, signal);
    this.enqueue(job);
    return job.result;
  }

  /** What it is doing, and what it has done since it began. */
  stats(): EngineStats {
    return this.scheduler.stats();
  }

  /**
   * Takes no more requests and gives the cache back when those that it has are done; what is not done
   * after `deadlineMs` ends with EngineClosedError.
   */
  async close(deadlineMs: number = 0): Promise<void> {
    this.closing = true;
    const stop = (): void =>
      this.scheduler.stop(new EngineClosedError("the engine was closed before the text ended"));
    if (deadlineMs <= 0) stop();
    const timer = setTimeout(stop, deadlineMs);
    await this.work;
    clearTimeout(timer);
    this.scheduler.release();
  }

  private enqueue(job: Job): void {
    this.scheduler.add(job);
    if (!this.scheduler.isRunning) this.work = this.scheduler.run();
  }

  private expectOpen(): void {
    if (this.closing) throw new EngineClosedError();
  }

  private expectRoom(): void {
    const { maxRunning, maxQueued } = this.settings;
    const { waiting, jobs, retryAfterSeconds } = this.scheduler;
    // What can begin with the next pass does not wait.
    if (jobs < maxRunning + maxQueued) return;
    this.scheduler.countRefused();
    throw new QueueFullError(waiting, retryAfterSeconds);
  }

  private checkRequest({ prompt, maxTokens, sampling = {}, logprobs = 0 }: EngineRequest): void {
    if (!Number.isInteger(maxTokens) || maxTokens < 0) {
      throw new UsageError(`\`maxTokens\` must be 0 or more, got ${maxTokens}`, {
        field: "maxTokens",
      });
    }
    if (!Number.isInteger(logprobs) || logprobs < 0) {
      throw new UsageError(`\`logprobs\` must be 0 or more, got ${logprobs}`, {
        field: "logprobs",
      });
    }
    this.checkPrompt(prompt, maxTokens);
    checkRequestSampling(sampling, this.model.config.vocabularySize);
  }

  private checkPrompt(prompt: readonly number[], maxTokens: number): void {
    const { vocabularySize } = this.model.config;
    if (prompt.length === 0) throw new UsageError("the prompt is empty", { field: "prompt" });
    const unknown = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
    if (unknown !== undefined) {
      throw new UsageError(
        `token ${unknown} is not in the vocabulary of ${vocabularySize} tokens`,
        { field: "prompt" },
      );
    }
    if (prompt.length + maxTokens <= this.maxContext) return;
    throw new UsageError(
      `${prompt.length} prompt tokens and ${maxTokens} new ones exceed the context of ` +
        `${this.maxContext} tokens`,
      { field: "prompt", hint: "shorten the prompt, or ask for fewer tokens" },
    );
  }
}
