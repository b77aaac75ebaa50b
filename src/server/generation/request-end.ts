import { CancelledError } from "../../util/errors.ts";
import { ApiError } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";

/** nginx's word for a client that did not wait for its answer; nobody reads it but the metrics. */
const clientGone = 499;

/** When the work for one request ends without an answer: its client goes away, or it takes too long. */
export class RequestEnd {
  private readonly limits: ServerLimits;
  private readonly client: AbortSignal;
  private readonly controller = new AbortController();
  private readonly timer: ReturnType<typeof setTimeout>;
  private isTooLate = false;
  private readonly leave = (): void => this.controller.abort(new CancelledError());

  /** `client` is aborted when the client has gone away. */
  constructor(limits: ServerLimits, client: AbortSignal) {
    this.limits = limits;
    this.client = client;
    this.timer = setTimeout(() => {
      this.isTooLate = true;
      this.leave();
    }, limits.requestMs);
    this.timer.unref();
    if (client.aborted) this.leave();
    client.addEventListener("abort", this.leave, { once: true });
  }

  /** Aborted when nobody wants the answer any more. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Ends what is under way, and looks at nothing any more. */
  close(): void {
    clearTimeout(this.timer);
    this.client.removeEventListener("abort", this.leave);
    if (!this.signal.aborted) this.leave();
  }

  /** Says why work was cut; other errors are what they are. */
  explain(error: unknown): unknown {
    if (!(error instanceof CancelledError)) return error;
    if (this.client.aborted) {
      const code = "client_gone";
      return new ApiError(clientGone, "the client has gone away", { code, cause: error });
    }
    if (!this.isTooLate) {
      const message = "the server is shutting down";
      return new ApiError(503, message, { code: "shutting_down", cause: error });
    }
    const message = `the answer was not finished within ${this.limits.requestMs / 1000} s`;
    return new ApiError(504, message, { code: "timeout", cause: error });
  }
}
