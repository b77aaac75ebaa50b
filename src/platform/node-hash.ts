import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

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

/** Compares secrets in a time that does not tell where they differ. */
export function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** Draws a name of 24 letters and digits that nothing else has. */
export function randomName(): string {
  return randomBytes(12).toString("hex");
}

/** Writes numbers as the base64 of their bytes, the lowest first. */
export function toBase64(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}
