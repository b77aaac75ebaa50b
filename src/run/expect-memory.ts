import { availableMemoryBytes } from "../platform/node.ts";
import { OutOfMemoryError } from "../util/errors.ts";

/** Writes a size for errors about memory and disks. */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/**
 * Refuses work that does not fit into the memory that is free; `hint` says how it would need less.
 * @throws OutOfMemoryError
 */
export function expectMemory(needBytes: number, hint: string): void {
  const available = availableMemoryBytes();
  if (needBytes <= available) return;
  const message = `needs about ${gigabytes(needBytes)} of memory, ${gigabytes(available)} is free`;
  throw new OutOfMemoryError(message, { hint, value: needBytes });
}
