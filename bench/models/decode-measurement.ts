import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** What one process of a side reports: one prompt, then greedy tokens one by one. */
export interface DecodeMeasurement {
  /** Until the first token is chosen. */
  readonly prefillTokensPerSecond: number;
  /** From the first token to the last, the choice of each included. */
  readonly decodeTokensPerSecond: number;
  /** Processor time over time while decoding: how many threads really worked. */
  readonly busyThreads: number;
  /** Which kernels ran, in the words of that side. */
  readonly kernels: string;
}

/** Tokens of the prompt, and tokens decoded behind the first. */
export const promptTokens = 128;
export const decodedTokens = 128;

/** The prompt of both sides: ids all over the vocabulary, none of them special. */
export function makePrompt(vocabularySize: number): number[] {
  return Array.from(
    { length: promptTokens },
    (_, i) => 300 + ((i * 7919) % (vocabularySize - 300)),
  );
}

/** Times one generation that calls `onToken` as soon as each token is chosen. */
export async function measureGeneration(
  generate: (onToken: () => void) => Promise<unknown>,
  kernels: string,
): Promise<DecodeMeasurement> {
  const started = performance.now();
  let first = 0;
  let last = 0;
  let count = 0;
  let used = process.cpuUsage();
  await generate(() => {
    last = performance.now();
    if (count++ > 0) return;
    first = last;
    used = process.cpuUsage();
  });
  const { user, system } = process.cpuUsage(used);
  return {
    prefillTokensPerSecond: (1000 * promptTokens) / (first - started),
    decodeTokensPerSecond: (1000 * (count - 1)) / (last - first),
    busyThreads: (user + system) / 1000 / (last - first),
    kernels,
  };
}

/** Runs a script of this folder as a process of its own and reads the JSON that it prints. */
export async function runSide<Result>(
  script: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [path, ...words], {
    env: { ...process.env, ...environment },
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout) as Result;
}
