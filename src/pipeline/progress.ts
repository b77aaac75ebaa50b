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
    return this.earlierMs + this.sessionMs;
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

  /** Counts work as done. */
  advance(work: number): void {
    this.doneWork += work;
  }

  /** Says what is being done now. */
  report(block: number, activity: string): void {
    this.sampleMemory();
    const fraction = this.totalWork === 0 ? 1 : Math.min(1, this.doneWork / this.totalWork);
    const { elapsedMs, blocks, totalWork, sessionMs } = this;
    const sessionWork = this.doneWork - this.earlierWork;
    const remainingMs =
      sessionWork > 0 ? (sessionMs * (totalWork - this.doneWork)) / sessionWork : null;
    this.emit({ type: "progress", block, blocks, activity, fraction, elapsedMs, remainingMs });
  }

  /** Notes the memory in use now. */
  sampleMemory(): void {
    const { residentBytes, anonymousBytes } = memoryUsage();
    this.keepPeak(residentBytes, anonymousBytes);
  }

  private get sessionMs(): number {
    return monotonicMs() - this.startedMs;
  }

  private keepPeak(bytes: number, anonymousBytes: number | null): void {
    this.peakBytes = Math.max(this.peakBytes, bytes);
    if (anonymousBytes !== null) {
      this.peakAnonymousBytes = Math.max(this.peakAnonymousBytes ?? 0, anonymousBytes);
    }
  }
}
