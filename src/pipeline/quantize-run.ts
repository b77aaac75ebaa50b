import type { PipelineEvent } from "./events.ts";
import type { RunRecord } from "./run-record.ts";

/** What a quantization leaves behind. */
export interface QuantizeResult {
  readonly record: RunRecord;
  /** Directory of the quantized checkpoint. */
  readonly out: string;
  /** All events of the run, from the first. */
  readonly events: AsyncIterable<PipelineEvent>;
}

/**
 * A quantization under way. Await it for the result; iterate over `events` meanwhile (or afterwards: every
 * iteration begins with the first event and ends with the run).
 */
export interface QuantizeRun extends Promise<QuantizeResult> {
  readonly events: AsyncIterable<PipelineEvent>;
}

/** Starts `work`, which emits events, and returns the handle that callers await or iterate over. */
export function startRun(
  out: string,
  work: (emit: (event: PipelineEvent) => void) => Promise<RunRecord>,
): QuantizeRun {
  const log = new EventLog();
  const result = work((event) => log.add(event))
    .then((record) => ({ record, out, events: log }))
    .finally(() => log.close());
  // Whoever only iterates over the events must not bring the process down with an unhandled rejection;
  // whoever awaits the run still gets the error.
  result.catch(() => {});
  return Object.assign(result, { events: log });
}

/** Events so far, and a wake-up for those who wait for the next one. */
class EventLog implements AsyncIterable<PipelineEvent> {
  private readonly events: PipelineEvent[] = [];
  private waiting: (() => void)[] = [];
  private closed = false;

  add(event: PipelineEvent): void {
    this.events.push(event);
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PipelineEvent, void, void> {
    for (let next = 0; ; next++) {
      while (next >= this.events.length) {
        if (this.closed) return;
        await new Promise<void>((resolve) => this.waiting.push(resolve));
      }
      yield this.events[next];
    }
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resume of waiting) resume();
  }
}
