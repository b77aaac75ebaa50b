import {
  absolutePath,
  baseName,
  exists,
  freeDiskBytes,
  isWithin,
  isWritable,
  joinPath,
  listDirectory,
  parentPath,
  realPath,
  remove,
  removeEmptyDirectory,
  rename,
  status,
  syncDirectory,
  syncFile,
  systemErrorCode,
  workingDirectory,
} from "../../platform/node.ts";
import { FewbitError, UsageError } from "../../util/errors.ts";
import { asideName, cleanLeftovers } from "./output-leftovers.ts";
import { formatSize } from "../../util/format-size.ts";

/** How an output directory is made. */
export interface OutputOptions {
  /** Replace a checkpoint that stands there already. */
  readonly overwrite?: boolean;
  /** Directories that the work reads from; the output must not touch them. */
  readonly inputs?: readonly string[];
  /** Bytes that will be written; refused beforehand when the disk has fewer. */
  readonly needBytes?: number;
}

/** What stood at the final path when the work began. */
export type Former = "nothing" | "empty" | "checkpoint";

/** Folder of a working directory that is not part of the result; removed after `commit`. */
export const journalFolder = ".journal";

/**
 * A directory that comes into being whole or not at all. Files are written into `workPath`, a
 * hidden directory beside the final one; `commit` renames it.
 */
export class OutputDirectory {
  /** The final path, absolute. */
  readonly path: string;
  /** Where files are written until `commit`. */
  readonly workPath: string;
  private readonly former: Former;
  private state: "open" | "committed" | "aborted" = "open";

  constructor(path: string, workPath: string, former: Former) {
    this.path = path;
    this.workPath = workPath;
    this.former = former;
  }

  /** Returns the path to write a file of this name to. */
  file(name: string): string {
    return joinPath(this.workPath, name);
  }

  /**
   * Makes all files durable and gives the directory its final name. What it replaces is moved aside
   * first and removed last, so that the final name never holds a mixture.
   * @throws UsageError when something came to stand at the final path in the meantime
   */
  async commit(): Promise<void> {
    if (this.state !== "open") throw new UsageError(`output ${this.path} is ${this.state} already`);
    await syncTree(this.workPath);
    const aside = joinPath(parentPath(this.path), asideName(baseName(this.path)));
    if (this.former === "checkpoint") await rename(this.path, aside);
    try {
      if (this.former === "empty") await removeEmptyDirectory(this.path);
      else if (await exists(this.path)) throw appeared(this.path);
      await rename(this.workPath, this.path);
    } catch (error) {
      if (this.former === "checkpoint") await rename(aside, this.path);
      throw systemErrorCode(error) === "ENOTEMPTY" ? appeared(this.path) : error;
    }
    this.state = "committed";
    await syncDirectory(parentPath(this.path));
    if (this.former === "checkpoint") await remove(aside);
    await this.clean();
  }

  /** Removes what was written; the final path stays as it was. Nothing happens after `commit`. */
  async abort(): Promise<void> {
    if (this.state !== "open") return;
    this.state = "aborted";
    await remove(this.workPath);
  }

  /** Removes what is not part of the output, which has its name. */
  protected async clean(): Promise<void> {
    await remove(joinPath(this.path, journalFolder));
  }
}

const another = "choose another `out`";

function outError(value: string, message: string, hint: string): UsageError {
  return new UsageError(message, { hint, field: "out", value });
}

function appeared(path: string): UsageError {
  const message = `${path} was made by somebody else while this ran; it was left alone`;
  return outError(path, message, "run again with another `out`");
}

/** A place for an output, checked. */
export interface OutputTarget {
  /** Absolute, without symbolic links. */
  readonly path: string;
  readonly former: Former;
}

/**
 * Checks all that can be checked of a place for an output beforehand, and removes what killed runs
 * left beside it.
 * @throws UsageError when the path is taken, touches an input, or its parent is missing
 * @throws FewbitError (code `FILE`) when the parent is not writable
 */
export async function prepareTarget(
  path: string,
  options: OutputOptions = {},
): Promise<OutputTarget> {
  const final = await resolveTarget(path);
  await cleanLeftovers(final);
  await checkInputs(final, options.inputs ?? []);
  return { path: final, former: await checkTarget(final, options.overwrite ?? false) };
}

/** Returns the final path without symbolic links, having checked the folder that it lies in. */
export async function resolveTarget(path: string): Promise<string> {
  const asked = absolutePath(path);
  if ((await status(parentPath(asked)))?.kind !== "directory") {
    const message = `there is no folder ${parentPath(asked)} to write into`;
    throw outError(asked, message, "create it first, or choose another `out`");
  }
  const final = (await status(asked))
    ? await realPath(asked)
    : joinPath(await realPath(parentPath(asked)), baseName(asked));
  if (!(await isWritable(parentPath(final)))) {
    throw new FewbitError(
      "FILE",
      `cannot write into ${parentPath(final)}: no permission, or read-only`,
      { hint: another, field: "out", value: final },
    );
  }
  return final;
}

async function checkInputs(final: string, inputs: readonly string[]): Promise<void> {
  for (const input of inputs) {
    const source = await realPath(input);
    if (isWithin(source, final) || isWithin(final, source)) {
      const message = `the output ${final} and the input ${source} must not contain each other`;
      throw outError(final, message, "choose an `out` beside the input");
    }
  }
}

/** Says what stands at the final path, or why it cannot be replaced. */
async function checkTarget(final: string, overwrite: boolean): Promise<Former> {
  if (!(await exists(final))) return "nothing";
  if ((await status(final))?.kind !== "directory") {
    throw outError(final, `${final} exists and is not a directory`, another);
  }
  if (isWithin(final, await realPath(workingDirectory()))) {
    throw outError(final, `${final} is or holds the working directory`, another);
  }
  const names = (await listDirectory(final)).map((entry) => entry.name);
  if (names.length === 0) return "empty";
  if (!overwrite) {
    const hint = `${another}, or replace it with \`overwrite\``;
    throw outError(final, `${final} exists already`, hint);
  }
  // `overwrite` must not be able to delete a home directory because of a slip in `out`.
  if (!names.includes("config.json")) {
    const hint = `\`overwrite\` replaces only model directories; ${another}`;
    throw outError(final, `${final} is not replaced: it has no config.json`, hint);
  }
  return "checkpoint";
}

/** @throws FewbitError (code `FILE`) when the disk of a folder has fewer bytes free */
export async function checkSpace(parent: string, needBytes: number): Promise<void> {
  const free = await freeDiskBytes(parent);
  if (free === null || free >= needBytes) return;
  throw new FewbitError(
    "FILE",
    `the output needs ${formatSize(needBytes)}, the disk of ${parent} has ${formatSize(free)} free`,
    { hint: "free some space, or choose an `out` on another disk", field: "out", value: parent },
  );
}

async function syncTree(path: string): Promise<void> {
  for (const { name, kind } of await listDirectory(path)) {
    if (kind === "directory") await syncTree(joinPath(path, name));
    else if (kind === "file") await syncFile(joinPath(path, name));
  }
  await syncDirectory(path);
}
