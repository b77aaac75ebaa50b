import { readFileSync, writeFileSync } from "node:fs";
import { FewbitError } from "../../src/util/errors.ts";
import type { RunCase } from "./kind.ts";
import { Mutator } from "./mutator.ts";

/** Most that an input may need: bytes for each of its own, and these besides. */
const bytesPerInputByte = 24;
const spareBytes = 64e6;

/** Most that it may take, in milliseconds of the processor. */
const longestMs = 10_000;

/** What became of a case; the last three break the law. */
export type Verdict = "accepted" | "typed" | "untyped" | "slow" | "large";

/** A case that was judged. */
export interface JudgedCase {
  readonly verdict: Verdict;
  /** Where it broke the law: an error and its place, or a figure. */
  readonly fault: string;
  readonly stack: string;
  readonly changes: readonly string[];
  readonly changeCount: number;
}

/** Runs a case and judges it; what is large is run again, after the garbage was collected. */
export async function judgeCase(
  run: RunCase,
  seed: number,
  skipped?: ReadonlySet<number>,
): Promise<JudgedCase> {
  const first = await measure(run, seed, skipped);
  if (first.verdict !== "large") return first;
  for (let again = 0; again < 2; again++) {
    globalThis.gc?.();
    const next = await measure(run, seed, skipped);
    if (next.verdict !== "large") return next;
  }
  return first;
}

async function measure(
  run: RunCase,
  seed: number,
  skipped?: ReadonlySet<number>,
): Promise<JudgedCase> {
  const mutator = new Mutator(seed, skipped);
  const before = resetPeak();
  const start = process.cpuUsage();
  let error: unknown;
  let isTyped = true;
  let failed = false;
  try {
    await run(mutator);
  } catch (cause) {
    error = cause;
    failed = true;
    isTyped = cause instanceof FewbitError;
  }
  const { user, system } = process.cpuUsage(start);
  const elapsedMs = (user + system) / 1000;
  const grown = before === null ? 0 : (peakBytes() ?? 0) - before;
  const { changes, count, inputBytes } = mutator;
  const told = {
    changes,
    changeCount: count,
    stack: error instanceof Error ? (error.stack ?? "") : "",
  };
  if (!isTyped) return { ...told, verdict: "untyped", fault: placeOf(error) };
  if (elapsedMs > longestMs) {
    return { ...told, verdict: "slow", fault: `${(elapsedMs / 1000).toFixed(1)} s` };
  }
  if (grown > spareBytes + bytesPerInputByte * inputBytes) {
    const fault = `${Math.round(grown / 1e6)} MB for ${inputBytes} bytes`;
    return { ...told, verdict: "large", fault };
  }
  return { ...told, verdict: failed ? "typed" : "accepted", fault: "" };
}

/** The error, and the first line of fewbit that it came through. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${typeof error}`;
  const frames = (error.stack ?? "").split("\n");
  const ours = frames.find((line) => /\/(src|dist)\//.test(line) && !line.includes("node_modules"));
  const [, place = "no line of fewbit"] = /((?:src|dist)\/[^:)]+:\d+)/.exec(ours ?? "") ?? [];
  const message = error.message.split("\n", 1)[0].slice(0, 120);
  return `${error.constructor.name} at ${place}: ${message}`;
}

/** Begins to measure the most memory that this process has; null where that cannot be done. */
function resetPeak(): number | null {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
    return peakBytes();
  } catch {
    return null;
  }
}

/** The most memory that this process had since `resetPeak`. */
function peakBytes(): number | null {
  const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"));
  return found ? Number(found[1]) * 1024 : null;
}

/** Finds the changes that a fault needs: leaves out one after the other. */
export async function minimise(run: RunCase, seed: number, found: JudgedCase): Promise<JudgedCase> {
  const skipped = new Set<number>();
  let best = found;
  for (let i = 0; i < found.changeCount && found.changeCount > 1; i++) {
    const without = await judgeCase(run, seed, new Set([...skipped, i]));
    if (without.verdict !== found.verdict || without.fault !== found.fault) continue;
    skipped.add(i);
    best = without;
  }
  return best;
}
