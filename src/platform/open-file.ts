import { constants, type Stats } from "node:fs";
import * as fs from "node:fs/promises";
import { FormatError } from "../util/errors.ts";
import { fileError } from "./file-errors.ts";
import { type FileKind, fileKinds } from "./files.ts";

/** What a mode or directory entry says it is of, by the methods that Node gives both. */
export interface KindTests {
  isFile(): boolean;
  isDirectory(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
  isCharacterDevice(): boolean;
  isBlockDevice(): boolean;
}

/** Tells what a status or directory entry is of; symbolic links are not followed here. */
export function kindOf(entry: KindTests): FileKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  if (entry.isFIFO()) return "pipe";
  if (entry.isSocket()) return "socket";
  return entry.isCharacterDevice() || entry.isBlockDevice() ? "device" : "other";
}

/** Tells a file from what it becomes by a change, or from another one that takes its place. */
export function stampOf({ size, mtimeMs, ino }: Pick<Stats, "size" | "mtimeMs" | "ino">): string {
  return `${size} ${mtimeMs} ${ino}`;
}

/** The error of what stands in the place of a file and is none. */
export function notAFile(action: string, path: string, kind: FileKind): FormatError {
  const hint =
    kind === "pipe"
      ? "write what comes through it into a file first, and name that"
      : kind === "directory"
        ? "name a file in it"
        : "name a regular file";
  return new FormatError(`cannot ${action} ${path}: it is ${fileKinds[kind]}, not a file`, {
    hint,
  });
}

/**
 * Opens a regular file, and nothing else. It never waits: a pipe without a writer would hold a
 * thread for good, and with it the end of the process. What is opened is judged after it was
 * opened, so that nothing can take its place in between.
 * @throws FormatError when it is missing or not a regular file
 * @throws FewbitError (code `FILE`) when it cannot be opened
 */
export async function openRegular(
  action: "read" | "write",
  path: string,
  flags: number,
): Promise<{ handle: fs.FileHandle; status: Stats }> {
  // Windows has no such flag, nor files that wait to be opened.
  const patient = (constants as { O_NONBLOCK?: number }).O_NONBLOCK ?? 0;
  let handle: fs.FileHandle;
  try {
    handle = await fs.open(path, flags | patient);
  } catch (error) {
    // Sockets cannot be opened, pipes not for writing, directories neither.
    const found = await fs.stat(path).catch(() => null);
    const kind = found ? kindOf(found) : "file";
    throw kind === "file" ? fileError(action, path, error) : notAFile(action, path, kind);
  }
  const status = await handle.stat();
  if (status.isFile()) return { handle, status };
  await handle.close();
  throw notAFile(action, path, kindOf(status));
}
