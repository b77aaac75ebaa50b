import { monotonicMs } from "../platform/node.ts";
import type { PipelineEvent } from "./events.ts";
import type { RunClock } from "./run-clock.ts";

/** Turns what a run does into progress events. */
export class ProgressMeter {
  private readonly clock: RunClock;
  private readonly emit: (event: PipelineEvent) => void;
  private readonly blocks: number;
  private readonly totalWork: number;
  private blocksBeganMs: number = monotonicMs();
  private earlierWork = 0;
  private doneWork = 0;

  /** `totalWork` is in weights: every linear counts with its own. */
  constructor(
    clock: RunClock,
    emit: (event: PipelineEvent) => void,
    blocks: number,
    totalWork: number,
  ) {
    this.clock = clock;
    this.emit = emit;
    this.blocks = blocks;
    this.totalWork = totalWork;
  }

  /** Counts the work of interrupted runs. */
  resume(work: number): void {
    this.earlierWork = work;
    this.doneWork = work;
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
   * Says what is being done now; `begun` is the share that is done of work that counts only when it
   * is all done, in weights.
   */
  report(block: number, activity: string, begun = 0): void {
    this.clock.sampleMemory();
    const done = this.doneWork + begun;
    const fraction = this.totalWork === 0 ? 1 : Math.min(1, done / this.totalWork);
    const { blocks } = this;
    const { elapsedMs } = this.clock;
    const newWork = done - this.earlierWork;
    const workMs = monotonicMs() - this.blocksBeganMs;
    const remainingMs = newWork > 0 ? (workMs * (this.totalWork - done)) / newWork : null;
    this.emit({ type: "progress", block, blocks, activity, fraction, elapsedMs, remainingMs });
  }
}
