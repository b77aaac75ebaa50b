import { openResumable } from "../run/output/resumable-output.ts";
import { FormatError, NumericError, UnsupportedError } from "../util/errors.ts";
import { readWindows } from "../run/collect-windows.ts";
import { expectDisk, expectMemory } from "./make-plan.ts";
import { type EarlierWork, readEarlierWork, settleEarlierRun } from "../run/resume.ts";
import { Run } from "../blocks/quantize-blocks.ts";
import type { RunJob } from "../run/run-job.ts";
import type { RunRecord } from "../run/run-record.ts";
import { RunState } from "../run/run-state.ts";
import { TrainModelRun } from "../train/train-quantized.ts";

const lastStepOnly = "everything but the last step of an interrupted run was done";

/** Does what a job says, or takes over what an interrupted run has done of it. */
export async function runStage(job: RunJob): Promise<RunRecord> {
  const { recipe, identity, options } = job;
  const settled = await settleEarlierRun(recipe.out, identity, options.resume ?? "auto");
  if (settled) options.emit({ type: "notice", message: lastStepOnly });
  return settled ?? runInFolder(job);
}

/**
 * Runs in a working directory, which becomes the output, or stays when something is finished in it.
 */
async function runInFolder(job: RunJob): Promise<RunRecord> {
  const { opened, recipe, method, plan, identity, options } = job;
  const folder = await openResumable(recipe.out, {
    overwrite: options.overwrite ?? false,
    inputs: [opened.directory],
    needBytes: await expectDisk(plan, recipe.out),
  });
  const trains = method.trainModel !== undefined;
  let earlier: EarlierWork | null = null;
  let state: RunState | null = null;
  try {
    earlier = await readEarlierWork(folder, identity);
    const text = await readWindows(opened, recipe, trains, options.sharedFolder);
    options.emit({ type: "plan", plan });
    for (const message of plan.cautions) options.emit({ type: "notice", message });
    if (text?.notice) options.emit({ type: "notice", message: text.notice });
    expectMemory(plan);
    state = new RunState(job, folder, earlier);
    const record = await new (trains ? TrainModelRun : Run)(state).work(text);
    await folder.commit();
    return record;
  } catch (error) {
    const hasWork = earlier !== null || (state?.hasFinishedWork ?? false);
    if (hasWork && (trains || !comesAgain(error))) await folder.leave();
    else await folder.abort();
    throw error;
  }
}

/**
 * Whether a run that is gone on with would fail in the same way: what it finished is of no use
 * then.
 */
function comesAgain(error: unknown): boolean {
  return [FormatError, NumericError, UnsupportedError].some((kind) => error instanceof kind);
}
