import {
  hostDigits,
  baseName,
  fileKinds,
  isProcessAlive,
  isTemporaryName,
  joinPath,
  listDirectory,
  listEntries,
  makeDirectory,
  parentPath,
  processId,
  processMark,
  randomSuffix,
  relativePath,
  remove,
  rename,
  sleep,
  status,
  systemErrorCode,
} from "../../platform/node.ts";
import { FewbitError, FormatError } from "../../util/errors.ts";
import {
  checkSpace,
  journalFolder,
  OutputDirectory,
  type OutputOptions,
  prepareTarget,
  resolveTarget,
} from "./output-directory.ts";
import { cleanLeftovers } from "./output-leftovers.ts";

/*
 * The working directory of an output that can be resumed is `.NAME.unfinished-OWNER-RANDOM`
 * beside it, where OWNER is `free` or process, its mark and the machine. Its name is its lock: a
 * process takes a directory over by renaming it, which only one of several can do.
 */

/** Working directories of this process; an id of its own in other names is one used again. */
const held = new Set<string>();

interface Unfinished {
  readonly path: string;
  /** Process that works in it now; null when none does. */
  readonly process: number | null;
}

/** An output under way that a later run can resume. */
export class ResumableOutput extends OutputDirectory {
  /** Where the journal of the work lies. */
  get journalPath(): string {
    return joinPath(this.workPath, journalFolder);
  }

  override async commit(): Promise<void> {
    await super.commit();
    held.delete(this.workPath);
  }

  override async abort(): Promise<void> {
    await super.abort();
    held.delete(this.workPath);
  }

  /** Removes what stood between the methods of a chain to this output, and the journal last. */
  protected override async clean(): Promise<void> {
    await removeStages(this.path);
    // Last of all: as long as it is there, the next run can tell that this one was stopped just
    // here.
    await super.clean();
  }

  /** Stops and leaves everything for a later run. Nothing happens after `commit` or `abort`. */
  async leave(): Promise<void> {
    if (!held.delete(this.workPath)) return;
    await rename(this.workPath, unfinishedPath(this.path, "free"));
  }
}

/**
 * Returns the journal folder of a run that was stopped after its output had got its name, before
 * the last step of `commit`; null when there is none.
 * @throws UsageError when the folder of `path` is missing
 */
export async function findCommitted(path: string): Promise<string | null> {
  const final = await resolveTarget(path);
  if ((await status(final))?.kind !== "directory") return null;
  const entries = await listEntries(final);
  const isThere = entries.some(({ name, kind }) => name === journalFolder && kind === "directory");
  return isThere ? joinPath(final, journalFolder) : null;
}

/** Does the last steps of a `commit` that was stopped after its output had got its name. */
export async function finishCommit(path: string): Promise<void> {
  const final = await resolveTarget(path);
  await cleanLeftovers(final);
  await removeStages(final);
  await remove(joinPath(final, journalFolder));
}

/** Folder beside an output for the checkpoint that a method of a chain (from 1) hands on. */
export function stagePath(final: string, stage: number): string {
  return joinPath(parentPath(final), `.${baseName(final)}.stage-${stage}`);
}

/** Removes the checkpoints between the methods of chains to an output, whole ones and others. */
async function removeStages(final: string): Promise<void> {
  const stages = new Set<number>();
  for (const { name } of await listEntries(parentPath(final))) {
    // Of a stage that is not whole, the folder begins with another dot.
    const bare = name.replace(/^\.\./, ".");
    const prefix = `.${baseName(final)}.stage-`;
    const [, stage] = /^(\d+)(?:$|\.)/.exec(bare.slice(prefix.length)) ?? [];
    if (bare.startsWith(prefix) && stage !== undefined) stages.add(Number(stage));
  }
  for (const stage of stages) {
    await discardUnfinished(stagePath(final, stage));
    await remove(stagePath(final, stage));
  }
}

/** Removes what is left of runs to `path` that were stopped, whatever they had done. */
export async function discardUnfinished(path: string): Promise<void> {
  const final = await resolveTarget(path);
  for (const { path: unfinished, process } of await findUnfinished(final)) {
    if (process === null) await remove(unfinished);
  }
}

/**
 * Opens the working directory of an output: the one that a stopped run left, or a new one.
 * @throws as `prepareTarget`; FewbitError (code `BUSY`) when another process writes this output
 * now, (code `FILE`) when the disk has too little space; FormatError when what was left holds
 * something that no run puts there
 */
export async function openResumable(
  path: string,
  options: OutputOptions = {},
): Promise<ResumableOutput> {
  const { path: final, former } = await prepareTarget(path, options);
  const found = await findUnfinished(final);
  const busy = found.find(({ process }) => process !== null);
  if (busy) throw busyError(final, busy);
  const [first, ...others] = found;
  for (const { path: other } of others) await remove(other);
  const stored = first ? await storedBytes(first.path) : 0;
  await checkSpace(parentPath(final), Math.max(0, (options.needBytes ?? 0) - stored));
  const workPath = unfinishedPath(final, ownName());
  held.add(workPath);
  try {
    if (first) await takeOver(final, first, workPath);
    else await makeDirectory(workPath);
    const rival = await findRival(final, workPath);
    if (rival) {
      if (first) await rename(workPath, unfinishedPath(final, "free"));
      else await remove(workPath);
      throw busyError(final, rival);
    }
    if (first) await cleanTakenOver(final, workPath);
  } catch (error) {
    held.delete(workPath);
    throw error;
  }
  return new ResumableOutput(final, workPath, former);
}

async function takeOver(final: string, left: Unfinished, workPath: string): Promise<void> {
  try {
    await rename(left.path, workPath);
  } catch (error) {
    // Somebody else was quicker.
    throw systemErrorCode(error) === "ENOENT" ? busyError(final, left) : error;
  }
}

/**
 * Removes temporary files, which a process that was killed left in the middle of writing them. What
 * remains must be files and folders: a link could lead a run that continues anywhere.
 */
async function cleanTakenOver(final: string, workPath: string, folder = workPath): Promise<void> {
  for (const { name, kind } of await listEntries(folder)) {
    const path = joinPath(folder, name);
    if (isTemporaryName(name)) await remove(path);
    else if (kind === "directory") await cleanTakenOver(final, workPath, path);
    else if (kind !== "file") {
      const free = unfinishedPath(final, "free");
      await rename(workPath, free);
      const what = kind === "link" ? "a link" : fileKinds[kind];
      throw new FormatError(
        `${joinPath(free, relativePath(workPath, path))} is ${what}, which no run puts there`,
        { hint: "use `resume: restart` to discard what was left of a run to this output" },
      );
    }
  }
}

/**
 * Of two processes that begin at the same moment, the one whose name comes first continues.
 */
async function findRival(final: string, workPath: string): Promise<Unfinished | null> {
  for (let patience = 5; ; patience--) {
    const others = (await findUnfinished(final)).filter(({ path }) => path !== workPath);
    const rival = others.find(({ process }) => process !== null);
    if (!rival) return null;
    if (patience === 0 || workPath > rival.path) return rival;
    await sleep(100);
  }
}

function busyError(final: string, { path, process }: Unfinished): FewbitError {
  const who = process === null ? "another process" : `process ${process}`;
  return new FewbitError("BUSY", `${who} is writing ${final} at this moment`, {
    hint: `wait for it or choose another \`out\`; its working directory is ${path}`,
    field: "out",
    value: final,
  });
}

function unfinishedPath(final: string, owner: string): string {
  const name = `.${baseName(final)}.unfinished-${owner}-${randomSuffix()}`;
  return joinPath(parentPath(final), name);
}

function ownName(): string {
  return `${processId()}-${processMark(processId())}-${hostDigits()}`;
}

/** Lists the working directories of an output, those of other machines apart, the newest first. */
async function findUnfinished(final: string): Promise<Unfinished[]> {
  const parent = parentPath(final);
  const prefix = `.${baseName(final)}.unfinished-`;
  const found: (Unfinished & { readonly modifiedMs: number })[] = [];
  for (const { name, kind } of await listEntries(parent)) {
    if (!name.startsWith(prefix) || kind !== "directory") continue;
    const match = /^(?:free|(\d+)-(\d+)-([0-9a-f]{8}))-[0-9a-f]{8}$/.exec(
      name.slice(prefix.length),
    );
    if (!match || (match[3] !== undefined && match[3] !== hostDigits())) continue;
    const path = joinPath(parent, name);
    const modifiedMs = (await status(path))?.modifiedMs ?? 0;
    found.push({ path, process: ownerOf(path, match[1], match[2]), modifiedMs });
  }
  return found.sort((a, b) => b.modifiedMs - a.modifiedMs);
}

function ownerOf(path: string, id?: string, mark?: string): number | null {
  if (id === undefined) return null;
  const process = Number(id);
  const works = process === processId() ? held.has(path) : isProcessAlive(process, mark);
  return works ? process : null;
}

async function storedBytes(path: string): Promise<number> {
  let sum = 0;
  for (const { name, kind } of await listDirectory(path)) {
    if (kind === "file") sum += (await status(joinPath(path, name)))?.storedBytes ?? 0;
  }
  return sum;
}
