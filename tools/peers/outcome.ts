import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { FormatError } from "../../src/util/errors.ts";

/** What a maker's process writes to `made.json` beside the weights. */
export const madeSchema = z.object({
  /** Time of the quantization; for a peer without loading the model and writing the result. */
  seconds: z.number().nonnegative(),
  /** Time of processors within it. */
  cpuSeconds: z.number().nonnegative(),
  /** Largest resident memory of the process. */
  peakBytes: z.number().positive(),
  /** Number of quantized weights, and the bits that each takes with what is stored beside them. */
  weights: z.int().positive(),
  bitsPerWeight: z.number().positive(),
  versions: z.record(z.string(), z.string()),
  notes: z.array(z.string()).default([]),
});

export type Made = z.output<typeof madeSchema>;

const figuresSchema = z.object({
  text: z.string(),
  perplexity: z.number(),
  /** KL(original ‖ model) in nats a token, mean; null of the original itself. */
  divergence: z.number().nullable(),
  /** Share of tokens where both models' most likely token is the same. */
  agreement: z.number().nullable(),
});

export type Figures = z.output<typeof figuresSchema>;

const outcomeSchema = z.object({
  maker: z.string(),
  scheme: z.string(),
  settings: z.record(z.string(), z.unknown()),
  /** Start, ISO, and the load of the machine before it: processes that wanted to run. */
  startedAt: z.string(),
  load: z.number(),
  /** From the start of the process to its end. */
  wallSeconds: z.number(),
  made: madeSchema.nullable(),
  /** Bytes of the whole model with these weights: all other tensors as they were. */
  bytes: z.number().nullable(),
  figures: z.array(figuresSchema),
  /** Why there is no model; null when there is one. */
  error: z.string().nullable(),
});

/** What came of one run. */
export type Outcome = z.output<typeof outcomeSchema>;

/** Hashes all that a result depends on, to 12 digits. */
export function keyOf(parts: unknown): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 12);
}

/** Outcomes as files of a folder, found again by their key. */
export class OutcomeStore {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Returns what an earlier run came to; null when there was none.
   * @throws FormatError for a file that is damaged
   */
  read(name: string): Outcome | null {
    const path = this.pathOf(name);
    if (!existsSync(path)) return null;
    try {
      return outcomeSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    } catch (error) {
      throw new FormatError(`${path} is not the result of a run: ${(error as Error).message}`, {
        hint: "remove it: the run is then done again",
      });
    }
  }

  /** Keeps an outcome, whole or not at all. */
  write(name: string, outcome: Outcome): void {
    mkdirSync(this.folder, { recursive: true });
    const path = this.pathOf(name);
    writeFileSync(`${path}.part`, `${JSON.stringify(outcome, null, 2)}\n`);
    renameSync(`${path}.part`, path);
  }

  private pathOf(name: string): string {
    return join(this.folder, `${name}.json`);
  }
}
