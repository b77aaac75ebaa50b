import {
  baseName,
  createHasher,
  type GrowingFile,
  type Hasher,
  hostDigits,
  isProcessAlive,
  joinPath,
  listDirectory,
  makeDirectories,
  openForGrowing,
  parentPath,
  processId,
  randomSuffix,
  remove,
  rename,
  status,
  systemErrorCode,
} from "../platform/node.ts";
import type { HubFile } from "./hub-file.ts";

/** A partial file that nobody wrote to for so long is no longer written to. */
const abandonedMs = 10 * 60_000;
const pieceBytes = 4 * 1024 * 1024;

/** Partial files that this process writes to. */
const ours = new Set<string>();

/**
 * The part of a blob that is there so far: `<hash>.<host>-<process>-<random>.incomplete` beside it.
 * The name tells who writes it, so that what a killed process left is taken over, by a rename,
 * which only one can do; two running processes write to files of their own.
 */
export class PartialFile {
  private readonly blobPath: string;
  private readonly file: HubFile;
  private readonly handle: GrowingFile;
  private hasher: Hasher;
  private position = 0;

  private constructor(blobPath: string, file: HubFile, handle: GrowingFile) {
    this.blobPath = blobPath;
    this.file = file;
    this.handle = handle;
    this.hasher = startHash(file);
  }

  /** Opens what an earlier process left of a blob, or an empty file. */
  static async open(blobPath: string, file: HubFile): Promise<PartialFile> {
    await makeDirectories(parentPath(blobPath));
    const path = `${blobPath}.${ownName()}.incomplete`;
    ours.add(path);
    try {
      for (const leftover of await findLeftovers(blobPath)) {
        if (await takeOver(leftover, path)) break;
      }
      const partial = new PartialFile(blobPath, file, await openForGrowing(path));
      await partial.readOn();
      return partial;
    } catch (error) {
      ours.delete(path);
      throw error;
    }
  }

  /** Bytes that are there. */
  get sizeBytes(): number {
    return this.position;
  }

  /** Adds bytes at the end. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.handle.write(bytes, this.position);
    this.hasher.update(bytes);
    this.position += bytes.length;
  }

  /** Drops what is there, to begin again. */
  async restart(): Promise<void> {
    await this.handle.resize(0);
    this.hasher = startHash(this.file);
    this.position = 0;
  }

  /** Tells whether the whole file is there with the hash it must have; asked once, at the end. */
  isSound(): boolean {
    const { sizeBytes, sha256: expected, gitId } = this.file;
    return this.position === sizeBytes && this.hasher.digest() === (expected ?? gitId);
  }

  /** Gives the file its final name, and removes what other processes left of it. */
  async publish(): Promise<void> {
    await this.handle.sync();
    await this.close();
    await rename(this.handle.path, this.blobPath);
    for (const leftover of await findLeftovers(this.blobPath)) await remove(leftover);
  }

  /** Removes the file. */
  async discard(): Promise<void> {
    await this.close();
    await remove(this.handle.path);
  }

  /** Closes the file; it stays for the next attempt. */
  async close(): Promise<void> {
    ours.delete(this.handle.path);
    await this.handle.close();
  }

  /** Hashes what an earlier process wrote. */
  private async readOn(): Promise<void> {
    if (this.handle.sizeBytes > this.file.sizeBytes) return this.restart();
    const piece = new Uint8Array(Math.min(pieceBytes, this.handle.sizeBytes));
    while (this.position < this.handle.sizeBytes) {
      const read = await this.handle.read(piece, this.position);
      if (read === 0) break;
      this.hasher.update(piece.subarray(0, read));
      this.position += read;
    }
  }
}

/** Returns how many bytes of a blob are there to resume from. */
export async function partialBytes(blobPath: string): Promise<number> {
  if ((await status(parentPath(blobPath))) === null) return 0;
  const [leftover] = await findLeftovers(blobPath);
  return leftover === undefined ? 0 : ((await status(leftover))?.sizeBytes ?? 0);
}

/** Git's hash of a file covers its size too. */
function startHash({ sha256: outsideGit, sizeBytes }: HubFile): Hasher {
  if (outsideGit !== null) return createHasher("sha256");
  const hasher = createHasher("sha1");
  hasher.update(`blob ${sizeBytes}\0`);
  return hasher;
}

function ownName(): string {
  return `${hostDigits()}-${processId()}-${randomSuffix()}`;
}

/** Lists partial files of a blob that no process writes to any more. */
async function findLeftovers(blobPath: string): Promise<string[]> {
  const folder = parentPath(blobPath);
  const prefix = `${baseName(blobPath)}.`;
  const leftovers: string[] = [];
  for (const { name } of await listDirectory(folder)) {
    const match = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.incomplete$/.exec(name.slice(prefix.length));
    if (!name.startsWith(prefix) || !match) continue;
    const path = joinPath(folder, name);
    if (ours.has(path)) continue;
    const id = Number(match[2]);
    // In containers the next process often has the same id as the one before.
    const gone = match[1] === hostDigits() && (id === processId() || !isProcessAlive(id));
    const touchedMs = (await status(path))?.modifiedMs ?? Date.now();
    if (gone || Date.now() - touchedMs > abandonedMs) leftovers.push(path);
  }
  return leftovers;
}

async function takeOver(leftover: string, path: string): Promise<boolean> {
  try {
    await rename(leftover, path);
    return true;
  } catch (error) {
    // Another process was faster.
    if (systemErrorCode(error) === "ENOENT") return false;
    throw error;
  }
}
