import { monotonicMs } from "../../platform/node.ts";
import { CancelledError, NumericError } from "../../util/errors.ts";
import { eventLoopTurns } from "../event-loop-turns.ts";
import type { LanguageModel } from "../language-model.ts";
import { BlockPool } from "./block-pool.ts";
import type { EngineSettings } from "./engine-options.ts";
import { EngineCounts, type EngineStats, TokenRate } from "./engine-stats.ts";
import { DraftModel, lookUpGuesses } from "./guess-tokens.ts";
import type { Job } from "./job.ts";
import { PagedText } from "./paged-text.ts";
import { planStep } from "./plan-step.ts";
import { type PagedModel, runRows } from "./run-rows.ts";
import { QueueTimeoutError } from "./serving-errors.ts";

/** A job in a pass. */
interface Planned {
  readonly job: Job;
  readonly count: number;
}

/**
 * Decides which texts a pass reads, and runs passes as long as there are jobs. Jobs are taken up in
 * the order in which they came; when blocks run out, the one that was taken up last gives its own
 * back, and is computed again as soon as there is room.
 */
export class Scheduler {
  private readonly settings: EngineSettings;
  private readonly paged: PagedModel;
  private readonly pool: BlockPool;
  private readonly draft: DraftModel | null;
  private readonly queue: Job[] = [];
  /** In the order in which they were taken up. */
  private readonly running: Job[] = [];
  private readonly counts = new EngineCounts();
  private readonly rate = new TokenRate();
  /** Whether passes are being run: there is one loop at a time. */
  isRunning = false;
  private stopped: Error | null = null;
  /** Seconds that a request takes, by the last ones. */
  private usualSeconds = 1;

  constructor(model: LanguageModel, settings: EngineSettings) {
    const { cacheTokens, blockSize, kvCache, products, speculation, prefillBeside } = settings;
    const blocks = Math.floor(cacheTokens / blockSize);
    const slots = blocks * blockSize;
    const cache = model.newCache(slots, 1, kvCache, slots);
    this.settings = settings;
    this.paged = { model, cache, blockSize, products };
    this.pool = new BlockPool(blocks, blockSize);
    const sizes = { tokens: slots, blockSize, chunk: prefillBeside };
    this.draft = speculation.draft && new DraftModel(speculation.draft, sizes);
  }

  get waiting(): number {
    return this.queue.length;
  }

  /** Jobs that wait or run. */
  get jobs(): number {
    return this.queue.length + this.running.length;
  }

  /** When a job that waits now is likely to have been taken up: between 1 s and a minute. */
  get retryAfterSeconds(): number {
    const rounds = (this.queue.length + 1) / this.settings.maxRunning;
    return Math.max(1, Math.min(60, Math.ceil(rounds * this.usualSeconds)));
  }

  newText(ids: readonly number[]): PagedText {
    return new PagedText(this.pool, ids);
  }

  add(job: Job): void {
    this.queue.push(job);
  }

  countRefused(): void {
    this.counts.refusedRequests++;
  }

  /** Ends all jobs with an error, before the next pass. */
  stop(error: Error): void {
    this.stopped = error;
  }

  stats(): EngineStats {
    const { used, cached, count } = this.pool;
    return {
      ...this.counts,
      queued: this.queue.length,
      running: this.running.length,
      kvBlocks: { used, cached, free: count - used - cached },
      kvCacheBytes: this.paged.cache.sizeBytes + (this.draft?.cacheBytes ?? 0),
      tokensPerSecond: this.rate.perSecond,
    };
  }

  release(): void {
    this.paged.cache.release();
    this.draft?.release();
  }

  /** Runs passes until there are no jobs. Never rejects: jobs get the errors. */
  async run(): Promise<void> {
    const breathe = eventLoopTurns();
    this.isRunning = true;
    // Those that come at the same time begin with the same pass.
    await Promise.resolve();
    while (this.jobs > 0) {
      await this.runPass();
      await breathe();
    }
    // With the last look at the jobs, so that none comes between.
    this.isRunning = false;
  }

  private async runPass(): Promise<void> {
    try {
      this.endUnwanted();
      this.takeUp();
      const planned = this.plan();
      if (planned.length > 0) await this.step(planned);
    } catch (error) {
      // What went wrong between passes may be about any job: none is left to wait for ever.
      for (const job of [...this.queue, ...this.running]) this.giveUp(job, error as Error);
    }
  }

  /** Ends jobs that nobody waits for, those that waited too long, and all when it was stopped. */
  private endUnwanted(): void {
    const { maxQueuedMs } = this.settings;
    const nowMs = monotonicMs();
    for (const job of [...this.queue, ...this.running]) {
      const isLate = job.startedMs === null && nowMs - job.submittedMs >= maxQueuedMs;
      if (this.stopped) this.end(job, this.stopped);
      else if (job.isCancelled) this.end(job, new CancelledError());
      else if (isLate) this.refuse(job);
    }
  }

  private refuse(job: Job): void {
    const { maxQueuedMs } = this.settings;
    this.end(job, new QueueTimeoutError(maxQueuedMs / 1000, this.retryAfterSeconds));
  }

  /** Takes up waiting jobs, as many as there are blocks for what they are to read first. */
  private takeUp(): void {
    const { maxRunning, prefixCache, blockSize } = this.settings;
    while (this.running.length < maxRunning && this.queue.length > 0) {
      const [job] = this.queue;
      const cached = prefixCache && job.mayReuse ? job.text.adoptPrefix() : 0;
      // One that is decoded soon needs another block: it must not have to take it from this one.
      const needed = Math.ceil(job.text.pending / blockSize) + this.running.length;
      if (this.running.length > 0 && needed > this.pool.available) {
        job.text.drop();
        return;
      }
      // Blocks are promised by taking them: others that are taken up now must not count on them.
      job.text.reserve(job.text.pending);
      if (job.startedMs === null) this.begin(job, cached);
      this.queue.shift();
      this.running.push(job);
    }
  }

  private begin(job: Job, cached: number): void {
    job.startedMs = monotonicMs();
    job.begin(cached);
    this.counts.promptTokens += job.text.ids.length;
    this.counts.cachedTokens += cached;
  }

  /** Chooses what the next pass reads, and makes room for it. */
  private plan(): Planned[] {
    const demands = this.running.map(({ text, longestChunk }) => {
      return { pending: text.pending, longestChunk };
    });
    const counts = planStep(demands, this.settings);
    const wishes = this.running.map((job, i) => ({ job, count: counts[i] }));
    return wishes.filter(({ job, count }) => count > 0 && this.makeRoom(job, count));
  }

  /** Makes room for tokens of a running job, if need be at the cost of those taken up after it. */
  private makeRoom(job: Job, count: number): boolean {
    while (this.running.includes(job)) {
      if (job.text.reserve(count)) return true;
      const last = this.running.pop() as Job;
      last.text.drop();
      this.draft?.forget(last);
      this.queue.unshift(last);
      this.counts.preemptions++;
    }
    return false;
  }

  private async step(planned: readonly Planned[]): Promise<void> {
    this.counts.steps++;
    try {
      const guesses = await this.guess(planned);
      for (const tokens of guesses) this.counts.draftedTokens += tokens.length;
      const rows = planned.map(({ job, count }, i) => job.rows(count, guesses[i]));
      const results = await runRows(this.paged, rows);
      for (const [i, { job }] of planned.entries()) {
        const before = job.text.computed + rows[i].count;
        this.settle(job, () => job.take(rows[i], results[i]));
        this.counts.acceptedTokens += Math.max(0, job.text.computed - before);
      }
    } catch (error) {
      for (const { job } of planned) this.end(job, error as Error);
    }
  }

  /** Lets a job take its part of a pass, and ends it when it is done. */
  private settle(job: Job, take: () => number): void {
    try {
      const fresh = take();
      this.counts.generatedTokens += fresh;
      if (fresh > 0) this.rate.add(fresh);
      if (this.settings.prefixCache) job.text.publish();
      if (job.isDone) this.end(job, null);
    } catch (error) {
      this.end(job, this.explain(error as Error));
    }
  }

  /** Guesses tokens for texts that are decoded, while there are few of them. */
  private async guess(planned: readonly Planned[]): Promise<number[][]> {
    const { mostRunning, lookup } = this.settings.speculation;
    const guesses = planned.map((): number[] => []);
    const decoded = [...planned.keys()].filter((i) => planned[i].job.text.pending === 1);
    if (decoded.length > mostRunning) return guesses;
    const open: number[] = [];
    for (const i of decoded) {
      const { job } = planned[i];
      const room = this.roomForGuesses(job);
      if (room > 0 && lookup) guesses[i] = lookUpGuesses(job.text.ids, room);
      if (room > 0 && guesses[i].length === 0) open.push(i);
    }
    if (!this.draft || open.length === 0) return guesses;
    const asked = open.map((i) => {
      const { job } = planned[i];
      return { owner: job, ids: job.text.ids, count: this.roomForGuesses(job) };
    });
    const drafted = await this.draft.guess(asked);
    for (const [place, i] of open.entries()) guesses[i] = drafted[place];
    return guesses;
  }

  /** Guesses that there are blocks for, without taking any from other texts. */
  private roomForGuesses({ text, roomForGuesses }: Job): number {
    const within = this.settings.maxContext - text.ids.length;
    let room = Math.max(0, Math.min(roomForGuesses, within));
    while (room > 0 && !text.reserve(1 + room)) room--;
    return room;
  }

  private end(job: Job, error: Error | null): void {
    for (const jobs of [this.queue, this.running]) {
      if (jobs.includes(job)) jobs.splice(jobs.indexOf(job), 1);
    }
    job.text.drop();
    this.draft?.forget(job);
    if (error instanceof CancelledError) this.counts.cancelledRequests++;
    else if (error instanceof QueueTimeoutError) this.counts.refusedRequests++;
    else if (error) this.counts.failedRequests++;
    else this.counts.finishedRequests++;
    if (error) job.fail(error);
    else job.finish();
    if (job.startedMs === null) return;
    const seconds = (monotonicMs() - job.startedMs) / 1000;
    this.usualSeconds += (seconds - this.usualSeconds) / 8;
  }

  /** Ends a job by an error, also where its blocks cannot be given back. */
  private giveUp(job: Job, error: Error): void {
    try {
      this.end(job, error);
    } catch {
      job.fail(error);
    }
  }

  private explain(error: Error): Error {
    if (!(error instanceof NumericError) || this.paged.cache.dtype !== "f16") return error;
    return new NumericError(error.message, {
      cause: error,
      hint: "if `kvCache: f32` helps, keys or values exceed float16; else the weights are damaged",
    });
  }
}
