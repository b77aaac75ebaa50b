import {
  EngineClosedError,
  QueueFullError,
  QueueTimeoutError,
} from "../runtime/serving/serving-errors.ts";
import { FewbitError, UnsupportedError, UsageError } from "../util/errors.ts";

/** What an error of the API says besides its message. */
export interface ApiErrorOptions extends ErrorOptions {
  /** OpenAI's name for the kind of error. */
  readonly type?: string;
  /** The field of the request that it is about. */
  readonly param?: string | null;
  /** What programs tell errors apart by. */
  readonly code?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a client is told instead of an answer, in the form that OpenAI's interface has. */
export class ApiError extends FewbitError {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly apiCode: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, options: ApiErrorOptions = {}) {
    super("API", message, { cause: options.cause });
    this.status = status;
    this.type = options.type ?? (status < 500 ? "invalid_request_error" : "server_error");
    this.param = options.param ?? null;
    this.apiCode = options.code ?? null;
    this.headers = options.headers ?? {};
  }

  /** The body of the answer. */
  toJSON(): object {
    const { message, type, param, apiCode: code } = this;
    return { error: { message, type, param, code } };
  }

  /** Makes the answer. */
  toResponse(): Response {
    return Response.json(this.toJSON(), { status: this.status, headers: this.headers });
  }
}

/** Fields of the library have the names of requests, but for how words are joined. */
const requestName = (field: string): string =>
  field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const withRequestNames = (text: string): string =>
  text.replace(/`[a-z]+[A-Z][A-Za-z]*`/g, requestName);

/** Refuses a request for what one of its fields says. */
export function badRequest(message: string, param: string | null, code?: string): ApiError {
  return new ApiError(400, message, { param, code: code ?? null });
}

/** Turns whatever was thrown into what a client is told; what is not meant for clients stays inside. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof QueueFullError || error instanceof QueueTimeoutError) {
    return new ApiError(429, `${error.message}; ${error.hint}`, {
      type: "rate_limit_error",
      code: error.code.toLowerCase(),
      headers: { "retry-after": String(error.retryAfterSeconds) },
      cause: error,
    });
  }
  if (error instanceof EngineClosedError) {
    return new ApiError(503, "the server is shutting down", {
      code: "shutting_down",
      headers: { "retry-after": "5" },
      cause: error,
    });
  }
  if (error instanceof UsageError || error instanceof UnsupportedError) {
    const { message, field, hint } = error;
    const param = field === undefined ? null : requestName(field);
    const told = withRequestNames(hint ? `${message}; ${hint}` : message);
    return new ApiError(400, told, { param, cause: error });
  }
  return new ApiError(500, "the server failed to answer this", {
    code: "internal_error",
    cause: error,
  });
}
