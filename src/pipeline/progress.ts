import { memoryUsage, monotonicMs } from "../platform/node.ts";
import type { PipelineEvent } from "./events.ts";

/** Turns what the run does into progress events, and keeps the peak of memory. */
export class ProgressMeter {
  readonly startedMs: number = monotonicMs();
  /** Largest memory seen, resident and not backed by files (null where the system does not say). */
  peakBytes = 0;
  peakAnonymousBytes: number | null = null;
  private readonly emit: (event: PipelineEvent) => void;
  private readonly blocks: number;
  private readonly totalWork: number;
  private doneWork = 0;

  /** `totalWork` is in weights: every linear counts with its own. */
  constructor(emit: (event: PipelineEvent) => void, blocks: number, totalWork: number) {
    this.emit = emit;
    this.blocks = blocks;
    this.totalWork = totalWork;
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return monotonicMs() - this.startedMs;
  }

  /** Counts work as done. */
  advance(work: number): void {
    this.doneWork += work;
  }

  /** Says what is being done now. */
  report(block: number, activity: string): void {
    this.sampleMemory();
    const fraction = this.totalWork === 0 ? 1 : Math.min(1, this.doneWork / this.totalWork);
    const { elapsedMs, blocks } = this;
    const remainingMs = fraction > 0 ? (elapsedMs * (1 - fraction)) / fraction : null;
    this.emit({ type: "progress", block, blocks, activity, fraction, elapsedMs, remainingMs });
  }

  /** Notes the memory in use now. */
  sampleMemory(): void {
    const { residentBytes, anonymousBytes } = memoryUsage();
    this.peakBytes = Math.max(this.peakBytes, residentBytes);
    if (anonymousBytes !== null) {
      this.peakAnonymousBytes = Math.max(this.peakAnonymousBytes ?? 0, anonymousBytes);
    }
  }
}
