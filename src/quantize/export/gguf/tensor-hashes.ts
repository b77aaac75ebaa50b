import { createHasher, type Hasher } from "../../../platform/node.ts";

/** Hashes of tensors whose bytes come piece by piece, in order. */
export class TensorHashes {
  private readonly hashers = new Map<string, Hasher>();
  private readonly digests = new Map<string, string>();

  /** Adds the next bytes of a tensor. */
  add(name: string, bytes: ArrayBufferView): void {
    const hasher = this.hashers.get(name) ?? createHasher("sha256");
    this.hashers.set(name, hasher);
    hasher.update(bytes);
  }

  /** Returns the hash of a tensor that is complete. */
  digest(name: string): string {
    const digest = this.digests.get(name) ?? this.hashers.get(name)?.digest() ?? "";
    this.digests.set(name, digest);
    return digest;
  }
}
