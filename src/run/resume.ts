import { readJsonObject } from "../formats/json-file.ts";
import {
  discardUnfinished,
  findCommitted,
  finishCommit,
  type ResumableOutput,
} from "./output/resumable-output.ts";
import { joinPath, listDirectory, remove, status } from "../platform/node.ts";
import { UsageError } from "../util/errors.ts";
import { Journal, type JournalContents, type PartEntry } from "./journal.ts";
import type { Effort } from "./run-clock.ts";
import { compareIdentities, type IdentityDifference, type RunIdentity } from "./identity.ts";
import type { ResumeChoice } from "../recipe/resume-choice.ts";
import type { Resumption } from "./run-record.ts";

/** What a run that was interrupted had done. */
export interface EarlierWork {
  readonly contents: JournalContents;
  readonly startedAt: string;
  /** When it was last known to be at work, ISO. */
  readonly interruptedAt: string;
  /** Calibration windows that the model wrote. */
  readonly windows: readonly Int32Array[];
  /** Finished parts by name. */
  readonly parts: ReadonlyMap<string, PartEntry>;
  readonly resumptions: readonly Resumption[];
  readonly effort: Effort;
}

/**
 * Makes way for a run to `out`: with `restart` nothing of an earlier one is left. Returns the
 * record when the same run was stopped after its output had got its name, in the last step of all.
 */
export async function settleEarlierRun(
  out: string,
  identity: RunIdentity,
  choice: ResumeChoice,
): Promise<unknown> {
  if (choice === "restart") await discardUnfinished(out);
  const journalPath = await findCommitted(out);
  if (journalPath === null) return null;
  const head = (await Journal.read(journalPath))?.head;
  await finishCommit(out);
  const isSame = head !== undefined && compareIdentities(head.identity, identity).length === 0;
  if (choice === "restart" || !isSame) return null;
  return readJsonObject(joinPath(out, "run.json"));
}

/**
 * Reads what an interrupted run had done in a working directory; null, and the directory empty,
 * when it had done nothing that counts.
 * @throws UsageError when it was another run: another recipe, model, text or program; the directory
 * is left for it then
 */
export async function readEarlierWork(
  output: ResumableOutput,
  identity: RunIdentity,
): Promise<EarlierWork | null> {
  const contents = await Journal.read(output.journalPath);
  const last = contents?.entries.at(-1);
  if (!contents || !last) {
    await emptyDirectory(output.workPath);
    return null;
  }
  const differences = compareIdentities(contents.head.identity, identity);
  if (differences.length > 0) {
    await output.leave();
    throw otherRun(output.path, differences);
  }
  const work = { windows: [] as Int32Array[], resumptions: [] as Resumption[] };
  const parts = new Map<string, PartEntry>();
  for (const entry of contents.entries) {
    if (entry.type === "window") work.windows.push(Int32Array.from(entry.ids));
    else if (entry.type === "part") parts.set(entry.name, entry);
    else if (entry.type === "resumed") {
      const { interruptedAt, resumedAt, blocks, steps } = entry;
      const resumption = { interruptedAt, resumedAt, blocks };
      work.resumptions.push(steps === undefined ? resumption : { ...resumption, steps });
    }
  }
  const { startedAt } = contents.head;
  const interruptedAt = await lastChange(output);
  return { contents, startedAt, interruptedAt, parts, ...work, effort: last.effort };
}

/** The error of a run whose output has an unfinished run of another kind. */
function otherRun(out: string, differences: readonly IdentityDifference[]): UsageError {
  const shown = differences.slice(0, 3).map(describe);
  const more = differences.length - shown.length;
  const list = [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
  return new UsageError(`an unfinished run to ${out} is not this one: ${list}`, {
    hint: "start it as before to resume it, or use `resume: restart` to discard what it had done",
  });
}

function describe({ name, before, now }: IdentityDifference): string {
  const isHash = /^[0-9a-f]{64}$|^\d+ [\d.]+ [0-9a-f]{64}$/;
  if (isHash.test(before ?? now ?? "")) return `${name} has changed`;
  return `${name} was ${before ?? "not set"}, is ${now ?? "not set"}`;
}

/** Removes what is in a directory. */
async function emptyDirectory(path: string): Promise<void> {
  for (const { name } of await listDirectory(path)) await remove(joinPath(path, name));
}

/** A run that is killed cannot say when; the time of its last write is near. */
async function lastChange({ workPath, journalPath }: ResumableOutput): Promise<string> {
  let latestMs = 0;
  for (const folder of [workPath, journalPath]) {
    for (const { name, kind } of await listDirectory(folder)) {
      const found = kind === "file" ? await status(joinPath(folder, name)) : null;
      latestMs = Math.max(latestMs, found?.modifiedMs ?? 0);
    }
  }
  return new Date(latestMs).toISOString();
}
