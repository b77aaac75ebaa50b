import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { BackendOptions } from "../../src/backend/registry.ts";
import type { QuantizeOptions } from "../../src/index.ts";

/** Time by the clock, and of all cores together. */
export interface Cost {
  readonly seconds: number;
  readonly processorSeconds: number;
}

/** What a process that quantizes knows of itself. */
export interface SideFigures {
  /** From the start of the process. */
  readonly whole: Cost;
  /** Of each block, from its weights to where it is safe on the disk. */
  readonly blocks: readonly Cost[];
  /** Processor time in the factors and columns of GPTQ. */
  readonly solvingSeconds: number;
  /** Largest resident memory (`VmHWM`): pages of mapped files count. */
  readonly peakResidentBytes: number;
  /** What the plan says of the peak. */
  readonly plannedBytes: number;
  readonly parameters: number;
}

/** What a run of `quantize` took. */
export interface QuantizeFigures extends SideFigures {
  /** Largest memory that is no file's (`RssAnon`), looked at every few milliseconds. */
  readonly peakAnonymousBytes: number;
}

const side = fileURLToPath(new URL("quantize-side.ts", import.meta.url));
const everyMs = 4;

/** Quantizes in a process of its own, all blocks or the first few, and watches its memory. */
export async function measureQuantize(
  model: string,
  options: QuantizeOptions & BackendOptions,
  blocks?: number,
): Promise<QuantizeFigures> {
  const words = [side, model, JSON.stringify(options), ...(blocks ? [String(blocks)] : [])];
  const running = promisify(execFile)(process.execPath, words, { maxBuffer: 2 ** 26 });
  let peakAnonymousBytes = 0;
  const watch = setInterval(() => {
    const bytes = anonymousBytesOf(running.child.pid ?? 0);
    peakAnonymousBytes = Math.max(peakAnonymousBytes, bytes);
  }, everyMs);
  try {
    const { stdout } = await running;
    return { ...(JSON.parse(stdout) as SideFigures), peakAnonymousBytes };
  } finally {
    clearInterval(watch);
  }
}

/** 0 where the process has ended. */
function anonymousBytesOf(id: number): number {
  try {
    const status = readFileSync(`/proc/${id}/status`, "utf8");
    return 1024 * Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
