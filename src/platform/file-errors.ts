import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { FewbitError, FormatError } from "../util/errors.ts";
import { formatSize } from "../util/format-size.ts";

/** What a system error code means to a person: the rest of the message, and what to do. */
const meanings: Readonly<Record<string, readonly [message: string, hint?: string]>> = {
  EACCES: ["permission denied", "check the owner and the mode of the file and its folder"],
  EPERM: ["permission denied", "check the owner and the mode of the file and its folder"],
  EROFS: ["the file system is read-only", "choose a folder on another disk"],
  ENOSPC: ["the disk is full", "free some space, or choose a folder on another disk"],
  EDQUOT: ["the disk quota is used up", "free some space, or choose a folder on another disk"],
  EFBIG: ["the file system does not hold files this large", "choose a folder on another disk"],
  EIO: ["the disk reported an error", "check the disk"],
  EISDIR: ["it is a directory", "name a file"],
  ENOTDIR: ["a part of the path is not a directory", "check the path"],
  ENAMETOOLONG: ["the name is too long", "choose a shorter name"],
  EEXIST: ["it exists already", "choose another name, or remove it"],
  ENOTEMPTY: ["it exists already and is not empty", "choose another name, or remove it"],
  EMFILE: ["too many files are open", "raise the limit (ulimit -n)"],
  ENFILE: ["too many files are open on this machine", "close other programs and try again"],
  ELOOP: ["its symbolic links lead in a circle", "check the path"],
  EXDEV: ["it lies on another disk", "choose a folder on the same disk"],
  ETXTBSY: ["it is in use by another program", "close that program and try again"],
  ENODEV: ["the disk is gone", "check the disk"],
  ENXIO: ["the disk is gone", "check the disk"],
  ESTALE: ["the network disk has lost it", "mount the disk again"],
  ENOMEM: ["there is too little memory", "close other programs and try again"],
  EBUSY: ["it is in use by another program", "close that program and try again"],
};

/** Returns the system's code (`ENOENT`, `ENOSPC`, ...) of an error or its cause, or null. */
export function systemErrorCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if (error instanceof FewbitError) return systemErrorCode(error.cause);
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : null;
}

/**
 * Turns a system error into one line for people. `FormatError` where the file is missing, otherwise
 * a `FewbitError` of code `FILE`; the system's error stays as its cause.
 */
export function fileError(action: string, path: string, cause: unknown): FewbitError {
  if (cause instanceof FewbitError) return cause;
  const code = systemErrorCode(cause);
  if (code === "ENOENT") {
    return new FormatError(`cannot ${action} ${path}: it does not exist`, {
      hint: "check the path",
      cause,
    });
  }
  const [usual, hint] = meaningOf(cause);
  const meaning = code === "ENOSPC" ? fullDisk(dirname(path)) : usual;
  return new FewbitError("FILE", `cannot ${action} ${path}: ${meaning}`, { hint, cause });
}

/** The error of a stream that cannot be written to, such as standard output. */
export function streamError(stream: string, cause: unknown): FewbitError {
  const [meaning, hint] = meaningOf(cause);
  return new FewbitError("FILE", `cannot write ${stream}: ${meaning}`, { hint, cause });
}

function meaningOf(cause: unknown): readonly [message: string, hint?: string] {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return meanings[systemErrorCode(cause) ?? ""] ?? [detail];
}

/** Says that the disk of a folder is full, and how much is free where the system says so. */
export function fullDisk(folder: string): string {
  const free = freeBytes(folder);
  return free === null ? "the disk is full" : `the disk is full, ${formatSize(free)} free`;
}

/** Whether hardly anything can be written any more. */
export function isFull(folder: string): boolean {
  return (freeBytes(folder) ?? Number.POSITIVE_INFINITY) < leastFreeBytes;
}

const leastFreeBytes = 65_536;

function freeBytes(folder: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** Awaits `work` and translates its system errors by `fileError`. */
export async function translateErrors<T>(
  action: string,
  path: string,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw fileError(action, path, error);
  }
}
