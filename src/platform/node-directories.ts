import * as fs from "node:fs/promises";
import * as nodePath from "node:path";
import { UsageError } from "../util/errors.ts";
import { fileError, systemErrorCode, translateErrors } from "./file-errors.ts";
import type { FileKind, FileStatus } from "./files.ts";
import { kindOf, stampOf } from "./open-file.ts";

/** Tells what is at a path, following symbolic links; null when nothing is. */
export async function status(path: string): Promise<FileStatus | null> {
  const found = await ifThere(path, fs.stat(path));
  if (!found) return null;
  const { size: sizeBytes, blocks, mtimeMs: modifiedMs } = found;
  return { kind: kindOf(found), sizeBytes, storedBytes: blocks * 512, modifiedMs };
}

/** Returns a text that is another one when a file was changed or replaced; null without a file. */
export async function fileStamp(path: string): Promise<string | null> {
  const found = await ifThere(path, fs.stat(path));
  return found && stampOf(found);
}

/** Awaits `work`; null where nothing is at a path. */
async function ifThere<T>(path: string, work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    return translateErrors("read", path, Promise.reject(error));
  }
}

/** Lists a directory, sorted by name; symbolic links are followed, dangling ones are `other`. */
export async function listDirectory(path: string): Promise<{ name: string; kind: FileKind }[]> {
  const entries = await translateErrors("list", path, fs.readdir(path, { withFileTypes: true }));
  const listed = entries.map(async (entry) => {
    if (!entry.isSymbolicLink()) return { name: entry.name, kind: kindOf(entry) };
    const target = await status(nodePath.join(path, entry.name));
    return { name: entry.name, kind: target?.kind ?? "other" };
  });
  return (await Promise.all(listed)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Something in a directory; a symbolic link is one, whatever it leads to. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind | "link";
}

/** Lists a directory, sorted by name, without following symbolic links. */
export async function listEntries(path: string): Promise<DirectoryEntry[]> {
  const entries = await translateErrors("list", path, fs.readdir(path, { withFileTypes: true }));
  return entries
    .map((entry) => ({
      name: entry.name,
      kind: entry.isSymbolicLink() ? ("link" as const) : kindOf(entry),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Tells whether anything is at a path, a dangling symbolic link included. */
export async function exists(path: string): Promise<boolean> {
  return (await ifThere(path, fs.lstat(path))) !== null;
}

/** Tells whether this process may create files in a directory. */
export async function isWritable(path: string): Promise<boolean> {
  try {
    await fs.access(path, fs.constants.W_OK | fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Creates one directory that must not exist yet, in one that exists. */
export async function makeDirectory(path: string): Promise<void> {
  await translateErrors("create", path, fs.mkdir(path));
}

/**
 * Creates a directory and those above it, as far as they do not exist yet.
 * @throws UsageError when a file stands in their place; FewbitError (code `FILE`) otherwise
 */
export async function makeDirectories(path: string): Promise<void> {
  try {
    await fs.mkdir(path, { recursive: true });
  } catch (error) {
    if (["EEXIST", "ENOTDIR"].includes(systemErrorCode(error) ?? "")) {
      for (let above = path; above !== nodePath.dirname(above); above = nodePath.dirname(above)) {
        const found = await status(above);
        if (found && found.kind !== "directory") throw notDirectory(above);
      }
    }
    throw fileError("create", path, await causeOf(path, error));
  }
}

/** Where a folder on a read-only disk is missing, Node says of those above it that they are. */
async function causeOf(path: string, error: unknown): Promise<unknown> {
  const above = nodePath.dirname(path);
  if (systemErrorCode(error) !== "ENOENT" || above === path) return error;
  if ((await status(above)) === null) return causeOf(above, error);
  return fs.mkdir(path).then(
    () => error,
    (cause: unknown) => cause,
  );
}

/** What is said where a directory was expected, or one to be made, and something else is there. */
function notDirectory(path: string): UsageError {
  return new UsageError(`${path} exists and is not a directory`, { hint: "name another folder" });
}

/** Renames a file or directory within its file system, replacing a file or an empty directory. */
export async function rename(from: string, to: string): Promise<void> {
  await translateErrors("write", to, fs.rename(from, to));
}

/** Removes a file or a directory with all that is in it; nothing happens where nothing is. */
export async function remove(path: string): Promise<void> {
  await translateErrors("remove", path, fs.rm(path, { recursive: true, force: true }));
}

/** Removes a directory that must be empty. */
export async function removeEmptyDirectory(path: string): Promise<void> {
  await translateErrors("remove", path, fs.rmdir(path));
}

/** Returns the bytes that this user can still write beside `path`; null if unknown. */
export async function freeDiskBytes(path: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await fs.statfs(path);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** Returns the absolute path with all symbolic links resolved. */
export async function realPath(path: string): Promise<string> {
  return translateErrors("read", path, fs.realpath(path));
}

/** Joins parts of a path. */
export function joinPath(...parts: string[]): string {
  return nodePath.join(...parts);
}

/** Returns the absolute form of a path, without a trailing separator. */
export function absolutePath(path: string): string {
  return nodePath.resolve(path);
}

/** Returns how `path` is reached from the directory `from`; both absolute. */
export function relativePath(from: string, path: string): string {
  return nodePath.relative(from, path) || ".";
}

/** Returns the last part of a path. */
export function baseName(path: string): string {
  return nodePath.basename(path);
}

/** Returns the path of the directory that something is in. */
export function parentPath(path: string): string {
  return nodePath.dirname(path);
}

/** Tells whether `inner` is `outer` or lies below it; both absolute. */
export function isWithin(outer: string, inner: string): boolean {
  const relative = nodePath.relative(outer, inner);
  return (
    relative === "" ||
    (relative !== ".." &&
      !relative.startsWith(`..${nodePath.sep}`) &&
      !nodePath.isAbsolute(relative))
  );
}
