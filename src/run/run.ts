import { joinPath } from "../platform/node.ts";
import { comesAgain, FewbitError } from "../util/errors.ts";
import type { RunIdentity } from "./identity.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import { openResumable, type ResumableOutput } from "./output/resumable-output.ts";
import {
  type EarlierWork,
  readEarlierWork,
  readRecord,
  type SettledRun,
  settleEarlierRun,
} from "./resume.ts";
import { RunClock } from "./run-clock.ts";
import type { Resumption } from "./run-record.ts";
import type { SourceFiles } from "./source-files.ts";
import { TrainingStates } from "./training-states.ts";

/** What has to be known to begin a run, whatever its work is. */
export interface RunStart<Result> extends Omit<SettledRun<Result>, "readFinished"> {
  /** As in `SettledRun`; by default what `run.json` says. */
  readonly readFinished?: SettledRun<Result>["readFinished"];
  /** Directories that are read, and so must not be written. */
  readonly inputs: readonly string[];
  /**
   * Says how many bytes will be written. @throws FewbitError (code `FILE`) when there is no room
   */
  readonly needBytes?: () => Promise<number>;
  /** Files that are read until the work is done. They must stay what they are. */
  readonly sources: SourceFiles;
  /** Whether finished work is kept after a fault of model or data that comes again by itself. */
  readonly keepsWorkAtFault: boolean;
}

/**
 * Does `work` in a folder beside the output, which gets the output's name when the work is done.
 * What an interrupted run had finished is handed to the work, which continues with that; when it had
 * finished everything, its result is returned and nothing is done. When the
 * work fails, the folder stays if something is finished in it that a later run can use.
 * @throws UsageError when the output is taken, or an unfinished run to it is another one
 */
export async function runInFolder<Result>(
  start: RunStart<Result>,
  work: (run: Run) => Promise<Result>,
): Promise<Result> {
  const { out, identity, overwrite, inputs, needBytes } = start;
  const settled = await settleEarlierRun({ readFinished: readRecord<Result>, ...start });
  if (settled) return settled;
  const space = needBytes && { needBytes: await needBytes() };
  const folder = await openResumable(out, { overwrite, inputs, ...space });
  let earlier: EarlierWork | null = null;
  let run: Run | null = null;
  try {
    earlier = await readEarlierWork(folder, identity);
    run = await Run.open(folder, start, earlier);
    const result = await workAndClose(run, work);
    await start.sources.expectUnchanged();
    await folder.commit();
    return result;
  } catch (error) {
    const hasFinishedWork = run?.hasFinishedWork ?? earlier !== null;
    // What a run finished is of no use where one that is resumed would fail in the same way.
    const isOfUse = hasFinishedWork && (start.keepsWorkAtFault || !comesAgain(error));
    // What went wrong first counts, also where the disk lets nothing be renamed or removed either.
    await (isOfUse ? folder.leave() : folder.abort()).catch(() => undefined);
    throw isOfUse ? withResumption(error) : error;
  }
}

/** Adds to what a disk or a file was at fault for how the run is resumed. */
function withResumption(error: unknown): unknown {
  if (!(error instanceof FewbitError) || error.code !== "FILE") return error;
  const { code, message, hint, field, value, cause } = error;
  const kept = "what is finished is kept: run the same command again to resume";
  const whole = hint === undefined ? kept : `${hint}; ${kept}`;
  return new FewbitError(code, message, { hint: whole, field, value, cause });
}

async function workAndClose<Result>(
  run: Run,
  work: (run: Run) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(run);
  } finally {
    await run.close();
  }
}

/** What a run was begun with. */
type RunBasis = Pick<RunStart<unknown>, "identity" | "sources">;

/** A run at work in its folder: what it has finished, and what an interrupted run left to it. */
export class Run {
  readonly folder: ResumableOutput;
  readonly identity: RunIdentity;
  /** What an interrupted run had done; null without one. */
  readonly earlier: EarlierWork | null;
  readonly clock = new RunClock();
  /** When the work began, be it in a run that was interrupted; ISO. */
  readonly startedAt: string;
  readonly resumptions: Resumption[];
  /** Whether something is finished that a later run need not do again. */
  hasFinishedWork: boolean;
  private readonly sources: SourceFiles;
  private readonly journal: Journal;

  private constructor(
    folder: ResumableOutput,
    { identity, sources }: RunBasis,
    earlier: EarlierWork | null,
    startedAt: string,
    journal: Journal,
  ) {
    this.folder = folder;
    this.identity = identity;
    this.sources = sources;
    this.earlier = earlier;
    this.startedAt = startedAt;
    this.resumptions = [...(earlier?.resumptions ?? [])];
    this.hasFinishedWork = earlier !== null;
    this.journal = journal;
    if (earlier) this.clock.resume(earlier.effort);
  }

  /** Opens the journal, anew or as an interrupted run left it. */
  static async open(
    folder: ResumableOutput,
    basis: RunBasis,
    earlier: EarlierWork | null,
  ): Promise<Run> {
    const startedAt = earlier?.startedAt ?? new Date().toISOString();
    const journal = earlier
      ? await Journal.reopen(folder.journalPath, earlier.contents)
      : await Journal.create(folder.journalPath, { startedAt, identity: basis.identity });
    return new Run(folder, basis, earlier, startedAt, journal);
  }

  /**
   * Notes that something is finished, in a line of the journal; it must be durable already.
   * @throws FewbitError (code `FILE`) when a file that it was made from was changed meanwhile
   */
  async finished(entry: WithoutEffort<JournalEntry>): Promise<void> {
    await this.sources.expectUnchanged();
    await this.journal.append({
      ...entry,
      effort: { at: new Date().toISOString(), ...this.clock.usage },
    });
    this.hasFinishedWork = true;
  }

  /** Opens the states of a training, each of which gets a line of the journal once it is safe. */
  openStates(): TrainingStates {
    const path = joinPath(this.folder.journalPath, "training");
    return new TrainingStates(path, this.identity, (step) =>
      this.finished({ type: "state", step }),
    );
  }

  /** Notes that the run continues after blocks, or steps of a training, that are done. */
  async resumeAfter(done: { readonly blocks: number; readonly steps?: number }): Promise<void> {
    if (!this.earlier) return;
    const { interruptedAt } = this.earlier;
    const resumption = { interruptedAt, resumedAt: new Date().toISOString(), ...done };
    this.resumptions.push(resumption);
    await this.finished({ type: "resumed", ...resumption });
  }

  /** Closes the journal. */
  async close(): Promise<void> {
    await this.journal.close();
  }
}

type WithoutEffort<Entry> = Entry extends unknown ? Omit<Entry, "effort"> : never;
