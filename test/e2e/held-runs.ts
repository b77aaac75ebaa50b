import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type Finished, startFewbit } from "./cli-process.ts";
import { stopIn } from "./killed-runs.ts";

/*
 * Runs that are held at a change that they make to files, until the test has done what must happen
 * meanwhile: no test depends on how fast a run is.
 */

/** How a run is started that is to be held. */
export interface HoldOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The process that is held, by the name of its main module. Default main, the program itself. */
  readonly process?: string;
}

/** A run that stands still. */
export interface HeldRun {
  /** What it leaves behind, once it and the processes that it started have ended. */
  readonly finished: Promise<Finished>;
  /** Kills the program by SIGKILL while it is held. What it started ends by itself. */
  readonly kill: () => Promise<Finished>;
  /** Presses Ctrl-C, or sends another signal; returns when the program has said that it stops. */
  readonly interrupt: (signal?: NodeJS.Signals) => Promise<void>;
  /** Sends it a signal, and waits for nothing. */
  readonly send: (signal: NodeJS.Signals) => void;
  /** Lets it continue. */
  readonly release: () => void;
}

/**
 * Starts a run and returns when it is held before a change: the n-th, counted from 1, or the first
 * whose line fits.
 * @throws Error when it ends before
 */
export async function holdAt(
  args: readonly string[],
  at: RegExp | number,
  options: HoldOptions = {},
): Promise<HeldRun> {
  const held = Promise.withResolvers<Socket>();
  const stopping = Promise.withResolvers<void>();
  let isHeld = false;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    // Processes of the same name that come later are not held.
    if (isHeld) socket.end("continue");
    else held.resolve(socket);
    isHeld = true;
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const hold = { ...options.env, HOLD_AT: `${at}`, HOLD_PORT: `${port}` };
  const { child, finished } = startFewbit(args, {
    env: stopIn(options.process ?? "main", hold),
    onStderr: (text) => {
      if (text.includes("stopping")) stopping.resolve();
    },
  });
  const ended = finished.finally(() => server.close());
  const tooEarly = ended.then(({ code, stderr }): never => {
    throw new Error(`ended with ${code} before ${at}: ${stderr}`);
  });
  const socket = await Promise.race([held.promise, tooEarly]);
  const send = (signal: NodeJS.Signals): void => void child.kill(signal);
  return {
    finished: ended,
    kill: () => (send("SIGKILL"), ended),
    interrupt: (signal = "SIGINT") => (send(signal), Promise.race([stopping.promise, tooEarly])),
    send,
    release: () => void socket.end("continue"),
  };
}
