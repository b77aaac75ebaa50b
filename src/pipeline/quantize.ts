import type { Backend } from "../backend/backend.ts";
import { openResumable } from "../formats/resumable-output.ts";
import { type ResolveOptions, resolveModel } from "../hub/resolve-model.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { FormatError, NumericError, UnsupportedError } from "../util/errors.ts";
import { readWindows } from "./collect-windows.ts";
import { expectDisk, expectMemory, makePlan } from "./make-plan.ts";
import type { Plan } from "./plan.ts";
import { parseRecipe, type RecipeInput, settleRecipe } from "./recipe.ts";
import { type EarlierWork, readEarlierWork, settleEarlierRun } from "./resume.ts";
import { TrainModelRun } from "./train-model-run.ts";
import { Run, type RunJob, type RunOptions } from "./run.ts";
import { identifyRun } from "./run-identity.ts";
import type { RunRecord } from "./run-record.ts";

const lastStepOnly = "everything but the last step of an interrupted run was done";

/** Says what a recipe would do, without doing it. @throws as `runRecipe` does before work */
export async function planRecipe(
  input: RecipeInput,
  backend: Backend,
  options: ResolveOptions = {},
): Promise<Plan> {
  const { parsed, method } = parseRecipe(input);
  const { directory, name } = await resolveModel(parsed.model, options);
  const opened = await openModel(directory, { backend, name, precision: "float32" });
  try {
    expectUnquantized(opened);
    const recipe = settleRecipe(parsed, opened.config.contextLength);
    const plan = await makePlan(opened, recipe, method, backend);
    await expectDisk(plan, recipe.out);
    return plan;
  } finally {
    await opened.checkpoint.close();
  }
}

/**
 * Quantizes a checkpoint as a recipe says: block by block from disk to disk. The output appears under
 * its final name when it is whole. What a run that is interrupted had finished is kept beside it, and the
 * next run of the same recipe goes on with that, to the same bytes. Nothing is left of a run that had not
 * finished anything, or whose input is at fault.
 * @throws UsageError when the output is taken, or an unfinished run to it is another one
 * @throws FewbitError of the kind that fits; the input is never touched
 */
export async function runRecipe(input: RecipeInput, options: RunOptions): Promise<RunRecord> {
  const { parsed, method } = parseRecipe(input);
  const { backend, emit, resume = "auto" } = options;
  const resolved = await resolveModel(parsed.model, {
    signal: options.signal,
    onNotice: (message) => emit({ type: "notice", message }),
    onDownload: (progress) => {
      emit({ type: "download", progress });
      options.onDownload?.(progress);
    },
  });
  const opened = await openModel(resolved.directory, {
    ...resolved,
    backend,
    precision: "float32",
  });
  try {
    expectUnquantized(opened);
    const recipe = settleRecipe(parsed, opened.config.contextLength);
    const plan = await makePlan(opened, recipe, method, backend);
    const identity = await identifyRun(opened.checkpoint, recipe, backend);
    const settled = await settleEarlierRun(recipe.out, identity, resume);
    if (settled) emit({ type: "notice", message: lastStepOnly });
    const job = { opened, recipe, method, plan, identity, options };
    const record = settled ?? (await runInFolder(job));
    emit({ type: "done", record });
    return record;
  } finally {
    await opened.checkpoint.close();
  }
}

/** Runs in a working directory, which becomes the output, or stays when something is finished in it. */
async function runInFolder(job: RunJob): Promise<RunRecord> {
  const { opened, recipe, plan, identity, options } = job;
  const folder = await openResumable(recipe.out, {
    overwrite: options.overwrite ?? false,
    inputs: [opened.directory],
    needBytes: await expectDisk(plan, recipe.out),
  });
  let earlier: EarlierWork | null = null;
  let run: Run | TrainModelRun | null = null;
  try {
    earlier = await readEarlierWork(folder, identity);
    const text = await readWindows(opened, recipe);
    options.emit({ type: "plan", plan });
    for (const message of plan.cautions) options.emit({ type: "notice", message });
    if (text?.notice) options.emit({ type: "notice", message: text.notice });
    expectMemory(plan);
    run = new (job.method.trainModel ? TrainModelRun : Run)(job, folder, earlier);
    const record = await run.work(text?.windows ?? null);
    await folder.commit();
    return record;
  } catch (error) {
    const hasWork = earlier !== null || (run?.hasFinishedWork ?? false);
    if (hasWork && (job.method.trainModel || !comesAgain(error))) await folder.leave();
    else await folder.abort();
    throw error;
  }
}

function expectUnquantized({ name, schemeId }: OpenedModel): void {
  if (schemeId === null) return;
  throw new UnsupportedError(`${name} is quantized already, to ${schemeId}`, {
    hint: "quantize the original checkpoint",
  });
}

/** Whether a run that is gone on with would fail in the same way: what it finished is of no use then. */
function comesAgain(error: unknown): boolean {
  return [FormatError, NumericError, UnsupportedError].some((kind) => error instanceof kind);
}
