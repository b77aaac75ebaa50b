import { memoryUsage, monotonicMs, processorMs } from "../platform/node.ts";

/** What a run used up: its time at work and its peak of memory. */
export interface Usage {
  /** Time at work; what interrupted runs had done and lost again is not in it. */
  readonly elapsedMs: number;
  /** Time that all cores together worked for it: other work on the machine hardly changes it. */
  readonly processorMs: number;
  /** Largest resident memory of the process while it ran. */
  readonly peakMemoryBytes: number;
  /** Largest part of it that is not backed by files; null where the system does not say. */
  readonly peakAnonymousBytes: number | null;
}

/** What a run had used up at some time, the interrupted runs before it included. */
export interface Effort extends Usage {
  /** Time of day, ISO. */
  readonly at: string;
}

/** Sums the usage of two runs of one work. */
export function addUsage(a: Usage, b: Usage): Usage {
  const [peak, other] = [a.peakAnonymousBytes, b.peakAnonymousBytes];
  return {
    elapsedMs: a.elapsedMs + b.elapsedMs,
    processorMs: a.processorMs + b.processorMs,
    peakMemoryBytes: Math.max(a.peakMemoryBytes, b.peakMemoryBytes),
    peakAnonymousBytes: peak === null || other === null ? null : Math.max(peak, other),
  };
}

/** Keeps the time of a run and its peak of memory. */
export class RunClock {
  private readonly startedMs: number = monotonicMs();
  private readonly startedProcessorMs: number = processorMs();
  private earlier: Usage = {
    elapsedMs: 0,
    processorMs: 0,
    peakMemoryBytes: 0,
    peakAnonymousBytes: 0,
  };

  /** What was used up so far. */
  get usage(): Usage {
    this.sampleMemory();
    const worked = processorMs() - this.startedProcessorMs;
    return {
      ...this.earlier,
      elapsedMs: this.elapsedMs,
      processorMs: this.earlier.processorMs + worked,
    };
  }

  /** Milliseconds of work. */
  get elapsedMs(): number {
    return this.earlier.elapsedMs + monotonicMs() - this.startedMs;
  }

  /** Counts what interrupted runs used up. */
  resume(earlier: Usage): void {
    this.earlier = addUsage(this.earlier, earlier);
  }

  /** Notes the memory in use now. */
  sampleMemory(): void {
    const { residentBytes, anonymousBytes } = memoryUsage();
    this.earlier = addUsage(this.earlier, {
      elapsedMs: 0,
      processorMs: 0,
      peakMemoryBytes: residentBytes,
      peakAnonymousBytes: anonymousBytes,
    });
  }
}
