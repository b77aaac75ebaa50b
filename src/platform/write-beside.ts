import * as fs from "node:fs/promises";
import * as nodePath from "node:path";
import { fileError, systemErrorCode, translateErrors } from "./file-errors.ts";
import { createFile, randomSuffix } from "./node-files.ts";
import { hostDigits, isProcessAlive, processId, processMark } from "./node-machine.ts";

/** `NAME.<process>-<its mark>-<machine>-<random>.tmp` */
const temporaryName = /^(.+)\.(\d+)-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}\.tmp$/;

/** Temporary files of this process that are being written. */
const ours = new Set<string>();

/** Tells by its name whether a file is one that becomes another when it is whole. */
export function isTemporaryName(name: string): boolean {
  return temporaryName.test(name);
}

/**
 * Lets `write` make a file beside `path`, which gets that name when it is whole. What processes
 * that were killed at this left behind is removed; nothing is left where `write` fails.
 */
export async function writeBeside<T>(
  path: string,
  write: (beside: string) => Promise<T>,
): Promise<T> {
  await removeAbandoned(path);
  const id = processId();
  const owner = `${id}-${processMark(id)}-${hostDigits()}`;
  const beside = `${path}.${owner}-${randomSuffix()}.tmp`;
  ours.add(beside);
  try {
    const result = await write(beside);
    await translateErrors("write", path, fs.rename(beside, path));
    return result;
  } catch (error) {
    // What went wrong first counts, also where the disk lets nothing be removed either.
    await fs.rm(beside, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    ours.delete(beside);
  }
}

/** Writes a text file whole or not at all: beside, synced, then renamed over what was there. */
export async function writeText(path: string, text: string): Promise<void> {
  await writeBeside(path, async (beside) => {
    const file = await createFile(beside);
    try {
      await file.write(new TextEncoder().encode(text), 0);
      await file.sync();
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    await file.close();
  });
}

/**
 * Makes a symbolic link to `target`, relative to the link's own directory, in place of a file that
 * is there: another process at the same work never finds the name taken or missing. Resolves to
 * false where the system or the user may not have such links.
 */
export async function makeSymbolicLink(target: string, path: string): Promise<boolean> {
  const relative = nodePath.relative(nodePath.dirname(path), target);
  try {
    await writeBeside(path, (beside) => fs.symlink(relative, beside));
    return true;
  } catch (error) {
    const unsupported = ["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL"];
    if (unsupported.includes(systemErrorCode(error) ?? "")) return false;
    throw fileError("write", path, error);
  }
}

/** Removes what dead processes of this machine left of a file that they were writing. */
async function removeAbandoned(path: string): Promise<void> {
  const folder = nodePath.dirname(path);
  const names = await fs.readdir(folder).catch(() => []);
  for (const name of names) {
    const [, of, id = "", mark, host] = temporaryName.exec(name) ?? [];
    if (of !== nodePath.basename(path) || host !== hostDigits()) continue;
    const beside = nodePath.join(folder, name);
    const process = Number(id);
    // In containers the next process often has the same id as the one before.
    const lives = process === processId() ? ours.has(beside) : isProcessAlive(process, mark);
    if (!lives) await fs.rm(beside, { force: true });
  }
}
