import { monotonicMs } from "../../platform/node.ts";

/** What an engine is doing, and what it has done since it began. */
export interface EngineStats {
  readonly queued: number;
  readonly running: number;
  /** Blocks of the cache that texts hold, that only may be found again, and that hold nothing. */
  readonly kvBlocks: { readonly used: number; readonly cached: number; readonly free: number };
  readonly kvCacheBytes: number;
  readonly promptTokens: number;
  /** Of them, those that did not have to be computed. */
  readonly cachedTokens: number;
  readonly generatedTokens: number;
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
  readonly finishedRequests: number;
  readonly cancelledRequests: number;
  readonly failedRequests: number;
  readonly refusedRequests: number;
  /** How often a text lost its blocks to others and was computed again. */
  readonly preemptions: number;
  readonly steps: number;
  /** Generated tokens a second, over the last ten seconds. */
  readonly tokensPerSecond: number;
}

/** Counts that only grow. */
export class EngineCounts {
  promptTokens = 0;
  cachedTokens = 0;
  generatedTokens = 0;
  draftedTokens = 0;
  acceptedTokens = 0;
  finishedRequests = 0;
  cancelledRequests = 0;
  failedRequests = 0;
  refusedRequests = 0;
  preemptions = 0;
  steps = 0;
}

const windowMs = 10_000;

/** Tokens a second over the last ten seconds. */
export class TokenRate {
  private readonly marks: { readonly ms: number; readonly tokens: number }[] = [];

  add(tokens: number): void {
    this.marks.push({ ms: monotonicMs(), tokens });
    this.forget();
  }

  get perSecond(): number {
    this.forget();
    const total = this.marks.reduce((sum, { tokens }) => sum + tokens, 0);
    const sinceMs = monotonicMs() - (this.marks[0]?.ms ?? 0);
    return total === 0 ? 0 : (1000 * total) / Math.max(1000, Math.min(windowMs, sinceMs));
  }

  private forget(): void {
    const oldest = monotonicMs() - windowMs;
    while (this.marks.length > 0 && this.marks[0].ms < oldest) this.marks.shift();
  }
}
