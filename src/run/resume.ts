import { openCheckpoint } from "../formats/checkpoint.ts";
import { readJsonObject } from "../formats/json-file.ts";
import {
  discardUnfinished,
  findCommitted,
  finishCommit,
  type ResumableOutput,
} from "./output/resumable-output.ts";
import { joinPath, listDirectory, remove, status } from "../platform/node.ts";
import { FormatError, UsageError } from "../util/errors.ts";
import { parseValue } from "../util/parse-value.ts";
import { quantizationSchema, recordSchema } from "./record-schema.ts";
import { Journal, type JournalContents, type PartEntry } from "./journal.ts";
import type { Effort } from "./run-clock.ts";
import {
  compareIdentities,
  digestOf,
  type IdentityDifference,
  type RunIdentity,
} from "./identity.ts";
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

/** What stands under an output's name. */
export interface FinishedOutput<Result> {
  /** Hash of all that its bytes depend on; null where the output does not say. */
  readonly identity: string | null;
  readonly result: Result;
}

/** Whose result is looked for. */
export interface SettledRun<Result> {
  readonly out: string;
  readonly identity: RunIdentity;
  readonly overwrite: boolean;
  readonly resume: ResumeChoice;
  /** Reads what stands at `out`; null when that is no result. */
  readonly readFinished: (out: string) => Promise<FinishedOutput<Result> | null>;
  /** Hears how it comes that nothing is left to do. */
  readonly onSettled: (message: string) => void;
}

/**
 * Makes way for a run to `out`: with `restart` nothing of an earlier one is left. Returns the
 * result when the same run had given the output its name already. One that was stopped right after
 * that is cleaned up behind.
 */
export async function settleEarlierRun<Result>({
  out,
  identity,
  overwrite,
  resume,
  readFinished,
  onSettled,
}: SettledRun<Result>): Promise<Result | null> {
  if (resume === "restart") await discardUnfinished(out);
  const journalPath = await findCommitted(out);
  if (journalPath === null && (overwrite || !(await isWhole(out)))) return null;
  const finished = await readFinished(out).catch(() => null);
  const isRead = journalPath !== null && resume !== "restart";
  const head = isRead ? (await Journal.read(journalPath))?.head : undefined;
  if (journalPath !== null) await finishCommit(out);
  if (resume === "restart" || !finished) return null;
  const isSame =
    finished.identity === digestOf(identity) ||
    (head !== undefined && compareIdentities(head.identity, identity).length === 0);
  if (!isSame) return null;
  onSettled(journalPath === null ? madeBefore(out) : lastStepOnly);
  return finished.result;
}

const lastStepOnly = "everything but the last step of an interrupted run was done";

const madeBefore = (out: string): string =>
  `${out} was made by the same run before, and nothing was left to do`;

/** Reads the record of a run that made a checkpoint. */
export async function readRecord<Record>(out: string): Promise<FinishedOutput<Record>> {
  const path = joinPath(out, "run.json");
  const record = await readJsonObject(path);
  const schema = record["kind"] === "train" ? recordSchema : quantizationSchema;
  const { identity } = parseValue(
    schema,
    record,
    ({ text, hint }) => new FormatError(`${path} is no record of a run: ${text}`, { hint }),
  );
  return { identity, result: record as Record };
}

/** Whether a checkpoint stands there, none of whose weights are missing. */
async function isWhole(out: string): Promise<boolean> {
  try {
    await (await openCheckpoint(out)).close();
    return true;
  } catch {
    return false;
  }
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
