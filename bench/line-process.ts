import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A process that answers each line on its standard input with one line of JSON. */
export interface LineProcess {
  /** Sends a line and waits for the answer. */
  ask<T>(line: string): Promise<T>;
  /** Ends its input and waits for its last answer. */
  end<T>(): Promise<T>;
  /** Ends its input and waits for its end. */
  close(): Promise<void>;
}

/**
 * Starts a process and waits for its first line, which says that it is ready; null when it cannot
 * start.
 */
export async function openLineProcess(
  command: string,
  words: readonly string[],
): Promise<LineProcess | null> {
  const child: ChildProcess = spawn(command, words, { stdio: ["pipe", "pipe", "ignore"] });
  const failed = new Promise<null>((resolve) => child.on("error", () => resolve(null)));
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const { stdin, stdout } = child;
  if (!stdin || !stdout) return null;
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const answer = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command} ended before its answer`);
    return JSON.parse(value) as T;
  };
  const ready = await Promise.race([failed, answer<unknown>().catch(() => null)]);
  if (!ready) return null;
  return {
    ask: (line) => {
      stdin.write(`${line}\n`);
      return answer();
    },
    end: () => {
      stdin.end();
      return answer();
    },
    close: async () => {
      stdin.end();
      await ended;
    },
  };
}
