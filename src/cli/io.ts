/** A stream that text is written to, reduced to what the commands use. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal; undefined when the stream is none. */
  readonly columns?: number;
}

/** A stream that text is read from. */
export interface TextSource extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean;
}

/** Requests to end: Ctrl-C, that of `kill` and `timeout`, and that of a terminal that is closed. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Everything that a command touches of the process it runs in; tests hand in their own. */
export interface Io {
  readonly stdin: TextSource;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls `listener` at each Ctrl-C or request to end; returns a function that stops that. */
  readonly onInterrupt: (listener: (signal: StopSignal) => void) => () => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
}

/** The process that runs now. */
export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onInterrupt: (listener) => {
      const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
      const listeners = signals.map((signal) => [signal, () => listener(signal)] as const);
      for (const [signal, handler] of listeners) process.on(signal, handler);
      return () => {
        for (const [signal, handler] of listeners) process.off(signal, handler);
      };
    },
    exit: (code) => process.exit(code),
  };
}
