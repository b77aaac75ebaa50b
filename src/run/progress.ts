import { memoryUsage, monotonicMs } from "../platform/node.ts";
import type { PipelineEvent } from "./events.ts";
import type { Effort } from "./journal.ts";

/** Turns what the run does into progress events, and keeps time and the peak of memory. */
export class ProgressMeter {
  /** Largest memory seen, resident and not backed by files (null where the system does not say). */
  peakBytes = 0;
  peakAnonymousBytes: number | null = null;
  private readonly startedMs: number = monotonicMs();
  private readonly emit: (event: PipelineEvent) => void;
  private readonly blocks: number;
  private readonly totalWork: number;
  private blocksBeganMs: number = monotonicMs();
  private earlierMs = 0;
  private earlierWork = 0;
  private doneWork = 0;

  /** `totalWork` is in weights: every linear counts with its own. */
  constructor(emit: (event: PipelineEvent) => void, blocks: number, totalWork: number) {
    this.emit = emit;
    this.blocks = blocks;
    this.totalWork = totalWork;
  }

  /** Milliseconds of work, that of interrupted runs included. */
  get elapsedMs(): number {
    return this.earlierMs + monotonicMs() - this.startedMs;
  }

  /** What was used up so far. */
  get effort(): Effort {
    this.sampleMemory();
    return {
      at: new Date().toISOString(),
      elapsedMs: this.elapsedMs,
      peakMemoryBytes: this.peakBytes,
      peakAnonymousBytes: this.peakAnonymousBytes,
    };
  }

  /** Counts what interrupted runs did. */
  goOn(work: number, effort: Effort): void {
    this.earlierWork = work;
    this.doneWork = work;
    this.earlierMs = effort.elapsedMs;
    this.keepPeak(effort.peakMemoryBytes, effort.peakAnonymousBytes);
  }

  /** The time that is left follows from the time since now. */
  beginBlocks(): void {
    this.blocksBeganMs = monotonicMs();
  }

  /** Counts work as done. */
  advance(work: number): void {
    this.doneWork += work;
  }

  /**
   * Says what is being done now; `begun` is the part that is done of work that counts only when it
   * is all done.
   */
  report(block: number, activity: string, begun = 0): void {
    this.sampleMemory();
    const done = this.doneWork + begun;
    const fraction = this.totalWork === 0 ? 1 : Math.min(1, done / this.totalWork);
    const { elapsedMs, blocks } = this;
    const newWork = done - this.earlierWork;
    const workMs = monotonicMs() - this.blocksBeganMs;
    const remainingMs = newWork > 0 ? (workMs * (this.totalWork - done)) / newWork : null;
    this.emit({ type: "progress", block, blocks, activity, fraction, elapsedMs, remainingMs });
  }

  /** Notes the memory in use now. */
  sampleMemory(): void {
    const { residentBytes, anonymousBytes } = memoryUsage();
    this.keepPeak(residentBytes, anonymousBytes);
  }

  private keepPeak(bytes: number, anonymousBytes: number | null): void {
    this.peakBytes = Math.max(this.peakBytes, bytes);
    if (anonymousBytes !== null) {
      this.peakAnonymousBytes = Math.max(this.peakAnonymousBytes ?? 0, anonymousBytes);
    }
  }
}
