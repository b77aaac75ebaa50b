import { formatJson, readJsonObject } from "../formats/json-file.ts";
import { isJsonRecord } from "../util/json.ts";
import {
  copyFile,
  joinPath,
  listDirectory,
  makeDirectories,
  makeSymbolicLink,
  parentPath,
  readText,
  remove,
  status,
  writeText,
} from "../platform/node.ts";
import { FormatError } from "../util/errors.ts";
import { blobName, expectHubFile, type HubFile } from "./hub-file.ts";
import { isCommit } from "./model-source.ts";

const treeVersion = 1;

/**
 * One repository in the cache, laid out as Python's huggingface_hub does it, so that both find what
 * the other downloaded:
 *
 *     models--owner--name/
 *       blobs/<hash>                    contents of files
 *       refs/<branch or tag>            the commit that it last was
 *       snapshots/<commit>/<path>       links to blobs; copies where there are no links
 *       trees/<commit>.json             all files of a commit, with sizes and hashes
 */
export class HubCache {
  readonly folder: string;

  constructor(cacheFolder: string, repo: string) {
    this.folder = joinPath(cacheFolder, `models--${repo.replace("/", "--")}`);
  }

  /** Folder of a commit's files, which is a checkpoint directory once they are there. */
  snapshotPath(commit: string): string {
    return joinPath(this.folder, "snapshots", commit);
  }

  /** Path of a file's contents. */
  blobPath(file: HubFile): string {
    return joinPath(this.folder, "blobs", blobName(file));
  }

  /** Returns the commit that a branch or tag was when last asked for; null when it never was. */
  async commitOf(revision: string): Promise<string | null> {
    const path = joinPath(this.folder, "refs", revision);
    if ((await status(path))?.kind !== "file") return null;
    const commit = (await readText(path, 1000)).trim();
    return isCommit(commit) ? commit : null;
  }

  /** Keeps which commit a branch or tag is. */
  async rememberCommit(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.commitOf(revision)) === commit) return;
    const path = joinPath(this.folder, "refs", revision);
    await makeDirectories(parentPath(path));
    await writeText(path, commit);
  }

  /** Returns the files of a commit; null when their list is not kept in a form known here. */
  async filesOf(commit: string): Promise<HubFile[] | null> {
    const path = this.treePath(commit);
    if ((await status(path))?.kind !== "file") return null;
    try {
      const { format_version: version, files } = await readJsonObject(path);
      if (version !== treeVersion || !isJsonRecord(files)) return null;
      return Object.entries(files).map(([name, entry]) => fromTreeEntry(name, entry));
    } catch (error) {
      // A list can always be fetched again.
      if (error instanceof FormatError) return null;
      throw error;
    }
  }

  /** Keeps the list of all files of a commit. */
  async rememberFiles(commit: string, files: readonly HubFile[]): Promise<void> {
    const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
    const entries = sorted.map((file) => [file.path, toTreeEntry(file)] as const);
    const path = this.treePath(commit);
    await makeDirectories(parentPath(path));
    await writeText(
      path,
      formatJson({ format_version: treeVersion, files: Object.fromEntries(entries) }),
    );
  }

  /** Lists the names at the top of a commit's folder, whatever put them there. */
  async snapshotNames(commit: string): Promise<string[]> {
    const path = this.snapshotPath(commit);
    if ((await status(path))?.kind !== "directory") return [];
    const entries = await listDirectory(path);
    return entries.filter(({ kind }) => kind === "file").map(({ name }) => name);
  }

  /** Tells whether a file of a commit is there, whole as far as its size tells. */
  async has(commit: string, file: HubFile): Promise<boolean> {
    return hasSize(joinPath(this.snapshotPath(commit), file.path), file.sizeBytes);
  }

  /** Tells whether a file's contents are there, from this commit or another. */
  async hasBlob(file: HubFile): Promise<boolean> {
    return hasSize(this.blobPath(file), file.sizeBytes);
  }

  /** Puts a file whose contents are there into a commit's folder: as a link, or else as a copy. */
  async place(commit: string, file: HubFile): Promise<void> {
    const path = joinPath(this.snapshotPath(commit), file.path);
    await makeDirectories(parentPath(path));
    if (await makeSymbolicLink(this.blobPath(file), path)) return;
    await remove(path);
    await copyFile(this.blobPath(file), path);
  }

  private treePath(commit: string): string {
    return joinPath(this.folder, "trees", `${commit}.json`);
  }
}

async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  const found = await status(path);
  return found?.kind === "file" && found.sizeBytes === sizeBytes;
}

function fromTreeEntry(path: string, entry: unknown): HubFile {
  const { size, blob_id, lfs_sha256, xet_hash } = isJsonRecord(entry) ? entry : {};
  return expectHubFile({
    path,
    sizeBytes: size,
    gitId: blob_id,
    sha256: lfs_sha256 ?? null,
    xetHash: xet_hash,
  });
}

function toTreeEntry({ sizeBytes, gitId, sha256, xetHash }: HubFile): Record<string, unknown> {
  return {
    size: sizeBytes,
    blob_id: gitId,
    ...(sha256 !== null && { lfs_sha256: sha256, lfs_size: sizeBytes }),
    ...(xetHash !== null && { xet_hash: xetHash }),
  };
}
