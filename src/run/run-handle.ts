import { typingMemory } from "../platform/node.ts";
import type { PipelineEvent } from "./events.ts";
import type { RunRecord } from "./run-record.ts";

/** What a run that writes a checkpoint leaves behind. */
export interface RunResult<Event, Record> {
  readonly record: Record;
  /** Directory of the checkpoint. */
  readonly out: string;
  /** All events of the run, from the first. */
  readonly events: AsyncIterable<Event>;
}

/**
 * A run under way. Await it for the result; iterate over `events` meanwhile (or afterwards: every
 * iteration begins with the first event and ends with the run).
 */
export interface RunHandle<Event, Record> extends Promise<RunResult<Event, Record>> {
  readonly events: AsyncIterable<Event>;
}

/** What a quantization leaves behind. */
export type QuantizeResult = RunResult<PipelineEvent, RunRecord>;

/** A quantization under way. */
export type QuantizeRun = RunHandle<PipelineEvent, RunRecord>;

/** Starts `work`, which emits events, and returns the handle that callers await or iterate over. */
export function startRun<Event, Record>(
  out: string,
  work: (emit: (event: Event) => void) => Promise<Record>,
): RunHandle<Event, Record> {
  const log = new EventLog<Event>();
  const result = typingMemory(work((event) => log.add(event)))
    .then((record) => ({ record, out, events: log }))
    .finally(() => log.close());
  // A caller that only iterates over the events must not end the process by an unhandled
  // rejection; one that awaits the run still gets the error.
  result.catch(() => {});
  return Object.assign(result, { events: log });
}

/** Events so far, and a wake-up for those who wait for the next one. */
class EventLog<Event> implements AsyncIterable<Event> {
  private readonly events: Event[] = [];
  private waiting: (() => void)[] = [];
  private closed = false;

  add(event: Event): void {
    this.events.push(event);
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, void> {
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
