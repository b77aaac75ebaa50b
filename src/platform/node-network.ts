import { CancelledError, NetworkError } from "../util/errors.ts";
import { systemErrorCode } from "./file-errors.ts";

/** How a request is sent. */
export interface RequestOptions {
  /** Sent as a POST request; without one the request is a GET. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** A server that sends less than a kilobyte in so long counts as lost. */
  readonly stallMs: number;
}

/** What a server answered. A caller that does not read the body discards it. */
export interface HttpAnswer {
  readonly status: number;
  /** Returns a header's value, or null. */
  header(name: string): string | null;
  /** The body, piece by piece. @throws NetworkError (transient) when the connection is lost */
  body(): AsyncGenerator<Uint8Array, void, void>;
  discard(): Promise<void>;
}

/** Bytes that a server must send in the time after which it counts as lost. */
const leastBytes = 1000;

/** What failures of a connection mean; the rest of `HOST ...`. */
const failures: Readonly<Record<string, string>> = {
  ENOTFOUND: "has no address: no network, or a wrong name",
  EAI_AGAIN: "has no address: no network, or a wrong name",
  ECONNREFUSED: "refuses connections",
  ECONNRESET: "closed the connection",
  EPIPE: "closed the connection",
  UND_ERR_SOCKET: "closed the connection",
  ETIMEDOUT: "does not answer",
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached",
  UND_ERR_CONNECT_TIMEOUT: "does not answer",
};

/**
 * Sends a request and resolves when the answer's headers are there; redirects are followed,
 * without an `Authorization` header where they leave the origin.
 * @throws NetworkError (transient) when the server cannot be reached or falls silent
 * @throws CancelledError when `signal` is aborted
 */
export async function sendRequest(url: string, options: RequestOptions): Promise<HttpAnswer> {
  const { headers, signal, stallMs, body } = options;
  const controller = new AbortController();
  const { host } = new URL(url);
  const cancel = (): void => controller.abort();
  if (signal?.aborted) throw new CancelledError();
  signal?.addEventListener("abort", cancel, { once: true });
  let timer = setTimeout(cancel, stallMs);
  let received = 0;
  const stay = (bytes: number): void => {
    received += bytes;
    // A server that lets its bytes drip could hold the program for ever.
    if (received < leastBytes) return;
    received = 0;
    clearTimeout(timer);
    timer = setTimeout(cancel, stallMs);
  };
  const leave = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  };
  const explain = (error: unknown): Error => {
    if (signal?.aborted) return new CancelledError();
    if (controller.signal.aborted) {
      const message = `${host} sent next to nothing for ${stallMs / 1000} s`;
      return new NetworkError(message, { transient: true, cause: error });
    }
    return connectionError(host, error);
  };

  async function* readBody(response: Response): AsyncGenerator<Uint8Array, void, void> {
    try {
      // Not `for await`: typings of fetch leave out that its streams can be iterated over.
      const reader = response.body?.getReader();
      for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
        stay(next.value.length);
        yield next.value;
      }
    } catch (error) {
      throw explain(error);
    } finally {
      leave();
      controller.abort();
    }
  }

  try {
    const response = await fetch(url, {
      signal: controller.signal,
      ...(body === undefined ? {} : { method: "POST", body }),
      // Positions in the file are only positions in the answer while nothing compresses it.
      headers: { "accept-encoding": "identity", ...headers },
    });
    stay(leastBytes);
    return {
      status: response.status,
      header: (name) => response.headers.get(name),
      body: () => readBody(response),
      discard: async () => {
        leave();
        controller.abort();
      },
    };
  } catch (error) {
    leave();
    throw explain(error);
  }
}

function connectionError(host: string, cause: unknown): NetworkError {
  const root = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = systemErrorCode(root) ?? "";
  const detail = root instanceof Error ? root.message : String(root);
  const meaning = failures[code] ?? `cannot be reached: ${detail}`;
  // A loop of redirects would be gone round again.
  const transient = !/redirect/.test(detail);
  return new NetworkError(`${host} ${meaning}`, { transient, cause });
}
