import { monotonicMs } from "../../platform/node.ts";
import type { PagedText } from "./paged-text.ts";
import type { TextResults, TextRows } from "./run-rows.ts";

/** Something that is read by passes of the model beside others, and ends once. */
export abstract class Job {
  readonly text: PagedText;
  readonly submittedMs = monotonicMs();
  /** When the first pass began that read something of it. */
  startedMs: number | null = null;
  /** Whether its reader has gone away. */
  abandoned = false;
  private readonly signal: AbortSignal | undefined;

  constructor(text: PagedText, signal: AbortSignal | undefined) {
    this.text = text;
    this.signal = signal;
  }

  /** Whether it is not wanted any more. */
  get isCancelled(): boolean {
    return this.abandoned || (this.signal?.aborted ?? false);
  }

  /** Whether parts of it may be taken from what others computed. */
  abstract readonly mayReuse: boolean;
  /** Whether it is nothing but read: no pass gives it more to read. */
  abstract readonly isDone: boolean;
  /** Most pending tokens that a pass may read. */
  abstract readonly longestChunk: number;
  /** Most tokens that may be guessed behind the pending one. */
  abstract readonly roomForGuesses: number;
  /** Says that it is taken up for the first time, and how many tokens were found in the cache. */
  abstract begin(cached: number): void;
  /** Says what a pass over pending tokens and guesses is to give. */
  abstract rows(count: number, guesses: readonly number[]): TextRows;
  /** Takes what the pass gave; returns how many new tokens came of it. */
  abstract take(rows: TextRows, results: TextResults): number;
  /** Ends it well. */
  abstract finish(): void;
  /** Ends it with an error. */
  abstract fail(error: Error): void;
}
