import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Storage } from "../../backend/kernels.ts";
import { packageRoot } from "../../platform/node.ts";

/** A queue of the addon: an opaque handle. */
export type QueueHandle = object;

/** What the compiled addon exports (`native/runtime/addon.c`). */
export interface Addon {
  /** Instruction levels that this CPU can run, worst first. */
  readonly levels: readonly NativeLevel[];
  /** Ops, whose index is their id, with the number of arguments of each kind. */
  readonly ops: readonly NativeOp[];
  /** Hands out memory with undefined contents, aligned to cache lines. */
  allocate(bytes: number): ArrayBuffer;
  openQueue(level: string, threads: number, completed: Int32Array): QueueHandle;
  /** Appends a call: buffers, then sizes (integers), then reals. */
  enqueue(queue: QueueHandle, op: number, ...values: (Storage | number | null)[]): void;
  /** Resolves when all that is enqueued has run, to the message of the first op that failed. */
  synchronize(queue: QueueHandle): Promise<string | undefined>;
  /** Blocks until everything enqueued so far has run. */
  drain(queue: QueueHandle): void;
  closeQueue(queue: QueueHandle): void;
  /** Blocks as `drain`, returns what was counted since the last call, and counts from here on. */
  profile(queue: QueueHandle): OpTime[];
  /** Maps an open file of this size; null where that is not offered. */
  mapFile(fileDescriptor: number, sizeBytes: number): ArrayBuffer | null;
  /** Number of files that are mapped now and can no longer be read to their end. */
  lostFiles(): number;
  /** Whether the file that was mapped as this buffer is one of them; it reads as zeros there. */
  isLostFile(buffer: ArrayBuffer): boolean;
  /** Returns beyond how many threads more get no more done, by a measurement of milliseconds. */
  measureThreads(most: number): number;
}

/** What the calls of one op took on the executor thread. */
export interface OpTime {
  /**
   * Name of the op, or what the executor waited for: `(between ops)` the next call,
   * `(behind a read)` the reader of a result.
   */
  readonly op: string;
  readonly calls: number;
  readonly nanoseconds: number;
}

/** An instruction level of the addon. */
export interface NativeLevel {
  readonly name: string;
  /** For people: `AVX-512`. */
  readonly title: string;
  /** Rows of packed weights that stand side by side. */
  readonly lanes: number;
}

/** An op of the addon, as its line in `native/ops/ops.def` declares it. */
export interface NativeOp {
  readonly name: string;
  readonly buffers: number;
  readonly sizes: number;
  readonly reals: number;
}

/** Whether the native kernels can be used here, and if not, why and what to do. */
export type NativeAvailability =
  | { readonly available: true; readonly levels: readonly NativeLevel[] }
  | { readonly available: false; readonly reason: string; readonly hint: string };

type Loaded = { readonly addon: Addon } | { readonly reason: string; readonly hint: string };

const buildHint =
  "install a C compiler (gcc or clang) and run `node native/build.mjs` in fewbit's folder";

/** What an addon of this version exports; one that was built before may lack some. */
const functions = [
  "allocate",
  "openQueue",
  "enqueue",
  "synchronize",
  "drain",
  "closeQueue",
  "profile",
  "mapFile",
  "lostFiles",
  "isLostFile",
  "measureThreads",
] as const satisfies readonly (keyof Addon)[];

let loaded: Loaded | undefined;

/** Loads the addon, once; tells why when that fails. */
export function loadAddon(): Loaded {
  loaded ??= tryLoad(process.env.FEWBIT_ADDON ?? defaultPath());
  return loaded;
}

/** Tells whether the native kernels can be used in this process, without raising. */
export function nativeAvailability(): NativeAvailability {
  const result = loadAddon();
  if ("addon" in result) return { available: true, levels: result.addon.levels };
  return { available: false, ...result };
}

function defaultPath(): string {
  return join(packageRoot, "build", "fewbit.node");
}

function tryLoad(path: string): Loaded {
  if (!existsSync(path)) return { reason: reasonForAbsence(path), hint: buildHint };
  try {
    const addon = createRequire(import.meta.url)(path) as Partial<Addon>;
    const missing = functions.find((name) => typeof addon[name] !== "function");
    if (missing === undefined) return { addon: addon as Addon };
    return {
      reason: `the native addon does not fit this version of fewbit: it has no ${missing}`,
      hint: "build it again with `node native/build.mjs`",
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { reason: `the native addon does not load: ${message}`, hint: buildHint };
  }
}

/** The build leaves a line that says why there is no addon. */
function reasonForAbsence(path: string): string {
  const note = join(dirname(path), "unavailable.txt");
  const reason = existsSync(note) ? readFileSync(note, "utf8").trim() : "";
  return reason || "the native addon has not been built";
}
