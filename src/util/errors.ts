/** What every error carries: a stable code, one line of what happened, one of what to do. */
export interface FewbitErrorOptions extends ErrorOptions {
  /**
   * One line that says what the user can do about it. Fields stand in backquotes: `out`, or with a
   * value `method: rtn`. The command line writes them as its flags.
   */
  hint?: string | undefined;
  /** The field of what was asked for that it is about, such as `calibration.window`. */
  field?: string | undefined;
  /** What that field was. */
  value?: unknown;
}

/** Base of all deliberate errors. `message` says what was expected and what came. */
export class FewbitError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly field: string | undefined;
  readonly value: unknown;

  constructor(code: string, message: string, options: FewbitErrorOptions = {}) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
    this.field = options.field;
    this.value = options.value;
  }
}

type ErrorClass = new (message: string, options?: FewbitErrorOptions) => FewbitError;

function withCode(code: string): ErrorClass {
  return class extends FewbitError {
    constructor(message: string, options?: FewbitErrorOptions) {
      super(code, message, options);
    }
  };
}

/** Dimensions or element counts that do not fit together. */
export class ShapeError extends withCode("SHAPE") {}

/** A scheme id that does not parse, or a scheme that cannot be used here. */
export class SchemeError extends withCode("SCHEME") {}

/** A file that is missing, truncated, malformed or hostile. */
export class FormatError extends withCode("FORMAT") {}

/** Memory that the system does not give; `value` is the size in bytes, where it is known. */
export class OutOfMemoryError extends withCode("MEMORY") {}

/** A backend that is absent or failed. */
export class BackendError extends withCode("BACKEND") {}

/** Values that arithmetic cannot use: NaN, infinity, a matrix that is not positive definite. */
export class NumericError extends withCode("NUMERIC") {}

/** A model, format or combination that fewbit does not know. */
export class UnsupportedError extends withCode("UNSUPPORTED") {}

/** A call or command line that cannot be carried out as asked. */
export class UsageError extends withCode("USAGE") {}

/** What is known of a failed request. */
export interface NetworkErrorOptions extends FewbitErrorOptions {
  /** The server's status; null where there was no answer. */
  readonly status?: number | null;
  /** Whether the same request may succeed in a moment. */
  readonly transient?: boolean;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs?: number | null;
}

/** A server that cannot be reached, or that refuses what it was asked for. */
export class NetworkError extends FewbitError {
  readonly status: number | null;
  readonly transient: boolean;
  readonly retryAfterMs: number | null;

  constructor(message: string, options: NetworkErrorOptions = {}) {
    super("NETWORK", message, options);
    this.status = options.status ?? null;
    this.transient = options.transient ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** The work was cancelled by an `AbortSignal` (Ctrl-C in the CLI). */
export class CancelledError extends FewbitError {
  constructor(message = "cancelled", options?: FewbitErrorOptions) {
    super("CANCELLED", message, options);
  }
}

/** Codes of errors that the same work would meet again, on whichever machine. */
const lastingCodes = new Set(["USAGE", "UNSUPPORTED", "NUMERIC", "SCHEME", "SHAPE", "FORMAT"]);

/** Whether the same work would fail in the same way again. */
export function comesAgain(error: unknown): boolean {
  return error instanceof FewbitError && lastingCodes.has(error.code);
}

/** Raises `CancelledError` when `signal` is aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError();
}
