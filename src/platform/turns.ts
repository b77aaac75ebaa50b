import { throwIfCancelled } from "../util/errors.ts";
import { monotonicMs, nextTurn } from "./node-machine.ts";

/** Longest time that a loop keeps the thread to itself. */
const longestMs = 50;

/**
 * Turns for others in a long loop on this thread: signals such as Ctrl-C, timers, progress.
 *
 * @example
 * for (const item of items) {
 *   work(item);
 *   if (turns.due) await turns.give(signal);
 * }
 */
export class Turns {
  private lastMs: number = monotonicMs();

  /** Whether the loop has had the thread for long enough. */
  get due(): boolean {
    return monotonicMs() - this.lastMs > longestMs;
  }

  /** Lets others have their turn. @throws CancelledError when `signal` is aborted then */
  async give(signal?: AbortSignal): Promise<void> {
    await nextTurn();
    throwIfCancelled(signal);
    this.lastMs = monotonicMs();
  }
}
