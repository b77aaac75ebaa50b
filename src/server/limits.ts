/** What a server takes at most. */
export interface ServerLimits {
  /** Bytes of a request's body. */
  readonly bodyBytes: number;
  /** Tokens of an answer; the context bounds it besides. */
  readonly tokens: number;
  /** Answers to one request: choices of all its prompts. */
  readonly choices: number;
  /** Time of one request, from its body to its last token. */
  readonly requestMs: number;
  /** How long a client may leave what was written to it unread. */
  readonly stallMs: number;
  /** Connections at once. */
  readonly connections: number;
  /** Time of compiling a schema. */
  readonly schemaMs: number;
}

/** Limits of a server that is told none. */
export const defaultLimits: ServerLimits = {
  bodyBytes: 8 * 2 ** 20,
  tokens: 2 ** 31 - 1,
  choices: 64,
  requestMs: 30 * 60_000,
  stallMs: 60_000,
  connections: 1000,
  schemaMs: 5_000,
};
