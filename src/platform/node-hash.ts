import { createHash } from "node:crypto";

/** Hash functions that files are checked by. */
export type HashAlgorithm = "sha1" | "sha256";

/** A hash of bytes that come piece by piece. */
export interface Hasher {
  update(data: ArrayBufferView | string): void;
  /** Returns the hash in lower-case hexadecimal; nothing may follow. */
  digest(): string;
}

/** Starts a hash of bytes that come piece by piece. */
export function createHasher(algorithm: HashAlgorithm): Hasher {
  const hash = createHash(algorithm);
  return {
    update: (data) => void hash.update(bytesOf(data)),
    digest: () => hash.digest("hex"),
  };
}

/** Hashes data as it is in memory; the result is in lower-case hexadecimal. */
export function sha256(data: ArrayBufferView | string): string {
  return createHash("sha256").update(bytesOf(data)).digest("hex");
}

function bytesOf(data: ArrayBufferView | string): Uint8Array | string {
  if (typeof data === "string") return data;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
