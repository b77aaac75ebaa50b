import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Io } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";

/** The program: as the tests bundle it, or from its sources. */
export const program: string =
  process.env["FEWBIT_TEST_PROGRAM"] ??
  fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

const shared = new URL("../../../shared/data/", import.meta.url);

/** What a finished command left behind. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is started. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** How a command is started as a process. */
export interface SpawnOptions extends StartOptions {
  /** Called with all of standard error so far, each time more came. */
  readonly onStderr?: (text: string) => void;
}

/** A command at work. */
export interface Started {
  readonly child: ChildProcess;
  /** What it leaves behind, once it and the processes that it started have ended. */
  readonly finished: Promise<Finished>;
}

/** Runs `fewbit` with these words, as a user does. */
export function fewbit(args: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  return startFewbit(args, options).finished;
}

/** Starts `fewbit` with these words, as a user does. */
export function startFewbit(args: readonly string[], options: SpawnOptions = {}): Started {
  const { NO_COLOR: _, COLUMNS: __, FEWBIT_DEBUG: ___, ...env } = process.env;
  const child = spawn(process.execPath, [program, ...args], { env: { ...env, ...options.env } });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    options.onStderr?.(stderr);
  });
  child.stdin.end(options.stdin ?? "");
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, finished };
}

/**
 * Runs the command line inside this process, which is faster, on streams that are terminals or not.
 */
export async function fewbitHere(
  args: readonly string[],
  options: StartOptions & { readonly terminal?: boolean } = {},
): Promise<Finished> {
  const { terminal = false, env = {}, stdin = "" } = options;
  const written = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") => ({
    isTTY: terminal,
    ...(terminal && { columns: 100 }),
    write: (text: string) => {
      written[name] += text;
    },
  });
  async function* source(): AsyncGenerator<string> {
    yield stdin;
  }
  const io: Io = {
    stdin: Object.assign(source(), { isTTY: terminal }),
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env,
    onInterrupt: () => () => {},
    exit: () => {},
  };
  return { code: await main(args, io), ...written };
}

/** Path of a file of the shared data. */
export function sharedData(path: string): string {
  return fileURLToPath(new URL(path, shared));
}

/** Why tests that need the shared data are skipped; null where the data is there. */
export const noSharedData: string | null = existsSync(sharedData("models/babyllama-tok105"))
  ? null
  : "the shared models (../shared/data) are not on this machine";
