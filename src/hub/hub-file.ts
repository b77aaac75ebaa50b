import { isJsonRecord } from "../util/json.ts";
import { FormatError } from "../util/errors.ts";

/** A file of a repository at one commit. */
export interface HubFile {
  /** Path in the repository. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Git's hash of the file, or of the pointer in its place when the file is kept outside Git. */
  readonly gitId: string;
  /** SHA-256 of a file that is kept outside Git, as large ones are; null for others. */
  readonly sha256: string | null;
  /** Key of the file in the Hub's newer storage; only kept for other programs. */
  readonly xetHash: string | null;
}

/**
 * Checks what a server or a cached listing says of a file.
 * @throws FormatError when sizes or hashes are not of the kind they must be
 */
export function expectHubFile(value: unknown): HubFile {
  const { path, sizeBytes, gitId, sha256, xetHash } = isJsonRecord(value) ? value : {};
  if (
    typeof path === "string" &&
    typeof sizeBytes === "number" &&
    Number.isSafeInteger(sizeBytes) &&
    sizeBytes >= 0 &&
    isHash(gitId, 40) &&
    (sha256 === null || isHash(sha256, 64))
  ) {
    return { path, sizeBytes, gitId, sha256, xetHash: isHash(xetHash, 64) ? xetHash : null };
  }
  throw new FormatError(
    `the list of files has an entry that is not valid: ${JSON.stringify(path)}`,
  );
}

function isHash(value: unknown, digits: number): value is string {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value);
}

/** Returns the name of a file's contents in the cache: the checksum they must have. */
export function blobName({ sha256, gitId }: HubFile): string {
  return sha256 ?? gitId;
}
