import { FewbitError, type FewbitErrorOptions } from "../../util/errors.ts";

/** An engine that has as many requests waiting as it takes; the same one may be taken later. */
export class QueueFullError extends FewbitError {
  /** When there may be room again. */
  readonly retryAfterSeconds: number;

  constructor(waiting: number, retryAfterSeconds: number, options?: FewbitErrorOptions) {
    super("QUEUE_FULL", `${waiting} requests are waiting, and no more are taken`, {
      hint: `ask again in ${retryAfterSeconds} s`,
      ...options,
    });
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A request that waited for its turn as long as one may; nothing was done of it. */
export class QueueTimeoutError extends FewbitError {
  /** When there may be room again. */
  readonly retryAfterSeconds: number;

  constructor(waitedSeconds: number, retryAfterSeconds: number, options?: FewbitErrorOptions) {
    super("QUEUE_TIMEOUT", `the request's turn did not come within ${waitedSeconds} s`, {
      hint: `ask again in ${retryAfterSeconds} s`,
      ...options,
    });
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** An engine that is shutting down, or was shut down. */
export class EngineClosedError extends FewbitError {
  constructor(message = "the engine is closed", options?: FewbitErrorOptions) {
    super("ENGINE_CLOSED", message, options);
  }
}
