import { CancelledError } from "../util/errors.ts";
import { exitCodes } from "./errors.ts";
import type { Terminal } from "./terminal.ts";

/** What is said of a command that was stopped: its state, and how to resume it. */
export interface StopMessage {
  readonly message: string;
  readonly hint: string;
}

/**
 * Runs `body` with a signal that the first Ctrl-C aborts; the second ends the process at once. When
 * the body was cancelled, `whenStopped` says in which state it is and how to resume it.
 */
export async function interruptible<T>(
  terminal: Terminal,
  whenStopped: StopMessage | (() => StopMessage),
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stopListening = terminal.io.onInterrupt((signal) => {
    if (controller.signal.aborted) {
      terminal.clearProgress();
      terminal.io.exit(signal === "SIGTERM" ? exitCodes.terminated : exitCodes.interrupted);
      return;
    }
    terminal.notes(["  stopping; Ctrl-C again stops at once"]);
    controller.abort(new CancelledError());
  });
  try {
    return await body(controller.signal);
  } catch (error) {
    // Every error after the signal is the cancellation, not a failure.
    if (!controller.signal.aborted) throw error;
    const { message, hint } = typeof whenStopped === "function" ? whenStopped() : whenStopped;
    throw new CancelledError(message, { hint, cause: error });
  } finally {
    stopListening();
  }
}
