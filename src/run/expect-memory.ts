import { availableMemoryBytes } from "../platform/node.ts";
import { parseByteSize } from "../util/byte-size.ts";
import { OutOfMemoryError } from "../util/errors.ts";

/** Writes a size for errors about memory and disks. */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/**
 * Refuses work that does not fit into the memory that is free, or into the size `allowed`; `hint`
 * says how it would need less.
 * @throws OutOfMemoryError
 */
export function expectMemory(needBytes: number, hint: string, allowed?: string): void {
  const need = `needs about ${gigabytes(needBytes)} of memory`;
  const available = availableMemoryBytes();
  if (allowed !== undefined && needBytes > parseByteSize(allowed)) {
    const options = {
      hint: `allow more (\`memory\`), or ${hint}`,
      field: "memory",
      value: allowed,
    };
    throw new OutOfMemoryError(`${need}, and may use ${allowed}`, options);
  }
  if (needBytes <= available) return;
  throw new OutOfMemoryError(`${need}, ${gigabytes(available)} is free`, {
    hint,
    value: needBytes,
  });
}
