import { dirname } from "node:path";
import { FewbitError, FormatError } from "../util/errors.ts";
import { fullDisk, isFull } from "./file-errors.ts";

/** What to do where a disk or a permission is at fault: what a database holds is safe. */
const again = "what is finished is kept: run the same command again to resume";

/** Result codes of SQLite (`sqlite.org/rescode.html`) that a disk or another program causes. */
const meanings = new Map<number, readonly [message: string, hint: string]>([
  [3, ["permission denied", "check the owner and the mode of the file and its folder"]],
  [5, ["another program holds it", "close that program, and run the same command again"]],
  [6, ["another program holds it", "close that program, and run the same command again"]],
  [7, ["there is too little memory", "close other programs, and run the same command again"]],
  [8, ["it cannot be written to", "check the owner and the mode of the file and its folder"]],
  [10, ["the disk reported an error", `check the disk; ${again}`]],
  [14, ["it cannot be opened", "check the owner and the mode of the file and its folder"]],
]);

const cannotWrite = 8;
const damaged = 11;
const full = 13;
const notDatabase = 26;
/** Of an I/O error, which a disk gives that fills up while a file is made larger. */
const ioError = 10;

/**
 * Turns what SQLite says into one line for people: `FormatError` for a file that is no database or
 * is damaged, code `FILE` for a disk that is full or a file that cannot be used, and code `SQL` for
 * a statement that is wrong, or that would change what was opened to be read.
 */
export function databaseError(path: string, cause: unknown, readOnly: boolean): FewbitError {
  if (cause instanceof FewbitError) return cause;
  const { errcode, message = String(cause) } = cause as { errcode?: number; message?: string };
  const code = (errcode ?? 0) & 0xff;
  if (code === notDatabase) {
    return new FormatError(`${path} is no SQLite database; it was left as it is`, {
      hint: "name another folder, or move the file away",
      cause,
    });
  }
  if (code === damaged) {
    return new FormatError(`${path} is damaged: ${message}`, {
      hint: "move it away, and run the sweep again",
      cause,
    });
  }
  const folder = dirname(path);
  if (code === full || (code === ioError && isFull(folder))) {
    const hint = `free some space; ${again}`;
    return new FewbitError("FILE", `cannot write ${path}: ${fullDisk(folder)}`, { hint, cause });
  }
  const [meaning, hint] = meanings.get(code) ?? [];
  const isChange = readOnly && errcode === cannotWrite;
  if (meaning === undefined || isChange)
    return new FewbitError("SQL", `${path}: ${message}`, { cause });
  return new FewbitError("FILE", `cannot use ${path}: ${meaning}`, { hint, cause });
}
