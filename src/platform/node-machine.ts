import { readFileSync } from "node:fs";
import * as os from "node:os";
import { CancelledError } from "../util/errors.ts";
import type { MachineDescription, MemoryUsage } from "./files.ts";
import { sha256 } from "./node-hash.ts";

/** Waits. @throws CancelledError when `signal` is aborted */
export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const cancel = (): void => {
      clearTimeout(timer);
      reject(new CancelledError());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", cancel);
      resolve();
    }, milliseconds);
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
  });
}

/** Lets timers, signals and other waiting work have a turn. */
export async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Returns milliseconds from an arbitrary start, never running backwards. */
export function monotonicMs(): number {
  return performance.now();
}

/** Returns the time that all cores together have worked for this process, in milliseconds. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Measures this process, on Linux from /proc: getrusage's peak is inherited from the parent. */
export function memoryUsage(): MemoryUsage {
  const lines = processStatus();
  const residentBytes = process.memoryUsage.rss();
  const peak = lines.get("VmHWM") ?? process.resourceUsage().maxRSS * 1024;
  return {
    residentBytes,
    anonymousBytes: lines.get("RssAnon") ?? null,
    peakResidentBytes: Math.max(peak, residentBytes),
  };
}

/** The most memory that a process had, as records keep it. */
export interface MemoryPeak {
  /** Largest resident size. */
  readonly peakMemoryBytes: number;
}

/** Returns the most memory that this process had so far. */
export function memoryPeak(): MemoryPeak {
  return { peakMemoryBytes: memoryUsage().peakResidentBytes };
}

/** Returns the resident size of another process; 0 where the system does not say. */
export function residentBytesOf(id: number): number {
  return processStatus(String(id)).get("VmRSS") ?? 0;
}

/** Reads the sizes in /proc/ID/status, in bytes; empty on systems without it. */
function processStatus(id = "self"): Map<string, number> {
  const sizes = new Map<string, number>();
  try {
    for (const line of readFileSync(`/proc/${id}/status`, "utf8").split("\n")) {
      const match = /^(\w+):\s+(\d+) kB$/.exec(line);
      if (match?.[1] && match[2]) sizes.set(match[1], Number(match[2]) * 1024);
    }
  } catch {
    // Not Linux.
  }
  return sizes;
}

/** Returns the bytes that could be allocated without swapping, container limits included. */
export function availableMemoryBytes(): number {
  // Missing in the first releases of Node 20.
  const available = (process as { availableMemory?: () => number }).availableMemory?.();
  return available ?? os.freemem();
}

/** Describes the machine for run records. */
export function describeMachine(): MachineDescription {
  return {
    system: `${os.type()} ${os.release()}`,
    architecture: process.arch,
    processor: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    runtime: `Node ${process.versions.node}`,
  };
}

/** Returns the id of this process. */
export function processId(): number {
  return process.pid;
}

/**
 * Tells whether a process of this machine is alive; also true when it belongs to somebody else.
 * With `mark` it must be the process that had this `processMark`: ids are used again.
 */
export function isProcessAlive(id: number, mark?: string): boolean {
  try {
    process.kill(id, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const [state, start] = processFields(id) ?? [];
  if (state === "Z") return false;
  return mark === undefined || mark === unknownMark || start === undefined || start === mark;
}

/**
 * Returns a mark that tells a process from a later one of the same id: its start, in clock ticks
 * since the machine started. `0` where the system does not say.
 */
export function processMark(id: number): string {
  return processFields(id)?.[1] ?? unknownMark;
}

const unknownMark = "0";

/** Reads a process's state and start from /proc; null on systems without it. */
function processFields(id: number): readonly [state: string, start: string] | null {
  try {
    // The name in parentheses may hold spaces and parentheses; field 3 of the line follows it.
    const [, rest = ""] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${id}/stat`, "utf8")) ?? [];
    const fields = rest.split(" ");
    const [state] = fields;
    const start = fields[19];
    return state !== undefined && start !== undefined ? [state, start] : null;
  } catch {
    return null;
  }
}

/**
 * Returns 8 hexadecimal digits that stand for the machine: process ids mean nothing on another
 * machine that shares the disk, so names of working files carry it.
 */
export function hostDigits(): string {
  return sha256(os.hostname()).slice(0, 8);
}

/** Returns the absolute path of the working directory. */
export function workingDirectory(): string {
  return process.cwd();
}

/** Returns the value of an environment variable; undefined where it is not set or empty. */
export function environmentVariable(name: string): string | undefined {
  return process.env[name] || undefined;
}

/** Returns the absolute path of the user's home directory. */
export function homeDirectory(): string {
  return os.homedir();
}
