import { readFileSync } from "node:fs";
import { OutOfMemoryError } from "../util/errors.ts";

/*
 * Large arrays are made here. JavaScript's engine ends the process when it finds no room for its own
 * objects, so that an array which would take the last of it is refused before.
 */

/** Arrays from this size on are held against what the process may still have. */
const largeBytes = 16 * 2 ** 20;

/** Address space that is left to the engine where a limit (`ulimit -v`) is set. */
const reservedBytes = 192 * 2 ** 20;

const usualHint =
  "free some memory, raise the limit (ulimit -v), or ask for less at a time: shorter windows, " +
  "smaller batches, activations on the disk (`cacheOnDisk`)";

/**
 * Makes a buffer of zeros; `what` it is for begins the message.
 * @throws OutOfMemoryError with the size when there is no memory for it
 */
export function allocateBuffer(bytes: number, what: string): ArrayBuffer {
  if (bytes >= largeBytes) {
    const left = addressSpaceLeft();
    if (bytes + reservedBytes > left) throw outOfMemory(bytes, what);
  }
  try {
    return new ArrayBuffer(bytes);
  } catch (cause) {
    throw outOfMemory(bytes, what, cause);
  }
}

/** The error of memory that could not be had, with its size. */
export function outOfMemory(bytes: number, what: string, cause?: unknown): OutOfMemoryError {
  const size = bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
  const message = `${what}: there is no memory for ${size}`;
  return new OutOfMemoryError(message, { hint: usualHint, value: bytes, cause });
}

/** What V8 says where an array cannot be made. */
const noRoom = /^(Array buffer allocation failed|Invalid (typed )?array (buffer )?length)/;

/** Runs work whose smaller arrays may find no memory either. @throws OutOfMemoryError then */
export async function typingMemory<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof RangeError && noRoom.test(error.message))) throw error;
    const message = "there is no memory for an array of this work";
    throw new OutOfMemoryError(message, { hint: usualHint, cause: error });
  }
}

/** The limit of address space; infinite where none is set, or the system does not say. */
let limitBytes: number | undefined;

/** Returns the address space that this process may still take; infinite without a limit. */
function addressSpaceLeft(): number {
  limitBytes ??= readLimit();
  if (limitBytes === Number.POSITIVE_INFINITY) return limitBytes;
  const size = /^VmSize:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"));
  return limitBytes - Number(size?.[1] ?? 0) * 1024;
}

function readLimit(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const [, bytes] = /^Max address space\s+(\d+)/m.exec(limits) ?? [];
    return bytes === undefined ? Number.POSITIVE_INFINITY : Number(bytes);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
