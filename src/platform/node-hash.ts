import { createHash } from "node:crypto";

/** Hash functions that files are checked by. */
export type HashAlgorithm = "sha1" | "sha256";

/** A hash of bytes that come piece by piece. */
export interface Hasher {
  update(bytes: Uint8Array | string): void;
  /** Returns the hash in lower-case hexadecimal; nothing may follow. */
  digest(): string;
}

/** Starts a hash of bytes that come piece by piece. */
export function createHasher(algorithm: HashAlgorithm): Hasher {
  const hash = createHash(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.digest("hex"),
  };
}
