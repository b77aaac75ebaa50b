import { CancelledError } from "../util/errors.ts";
import { exitCodeOfSignal, StoppedError } from "./errors.ts";
import type { StopSignal } from "./io.ts";
import type { Terminal } from "./terminal.ts";

/** What is said of a command that was stopped: its state, and how to resume it. */
export interface StopMessage {
  readonly message: string;
  readonly hint: string;
}

/**
 * Runs `body` with a signal that the first Ctrl-C, or another request to end, aborts; the second
 * ends the process at once. When the body was cancelled, `whenStopped` says in which state it is
 * and how to resume it; the exit code is that of the first signal.
 */
export async function interruptible<T>(
  terminal: Terminal,
  whenStopped: StopMessage | (() => StopMessage),
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let stoppedBy: StopSignal | null = null;
  const stopListening = terminal.io.onInterrupt((signal) => {
    if (stoppedBy !== null) {
      terminal.clearProgress();
      terminal.io.exit(exitCodeOfSignal(signal));
      return;
    }
    stoppedBy = signal;
    terminal.log(["  stopping; Ctrl-C again stops at once"]);
    controller.abort(new CancelledError());
  });
  try {
    return await body(controller.signal);
  } catch (error) {
    // Every error after the signal is the cancellation, not a failure.
    if (stoppedBy === null) throw error;
    const { message, hint } = typeof whenStopped === "function" ? whenStopped() : whenStopped;
    throw new StoppedError(stoppedBy, message, { hint, cause: error });
  } finally {
    stopListening();
  }
}
