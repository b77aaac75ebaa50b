import { readJsonObject } from "../formats/json-file.ts";
import {
  discardUnfinished,
  findCommitted,
  finishCommit,
  openResumable,
} from "../run/output/resumable-output.ts";
import { joinPath } from "../platform/node.ts";
import { choosePrecision } from "../training/choose-precision.ts";
import { asEvents, openOriginal } from "../run/open-original.ts";
import type { ResumeChoice } from "../recipe/resume-choice.ts";
import { emptyDirectory, otherRun } from "../run/resume.ts";
import type { RunIdentity } from "../run/identity.ts";
import { TrainingFiles } from "../run/training-states.ts";
import { hashTexts, identifyTraining } from "./identify-training.ts";
import { parseTrainConfig, type TrainConfigInput } from "./train-config.ts";
import type { TrainJob, TrainModelOptions } from "./train-job.ts";
import type { TrainRecord } from "./train-record.ts";
import { TrainRun } from "./pretrain-run.ts";

/**
 * Trains a model as a configuration says, a new one or one that is gone on with, and writes it as a
 * Hugging Face checkpoint. The output appears under its final name when it is whole. What an
 * interrupted run had done is kept beside it, and the next run of the same configuration goes on
 * with that, to the same bytes.
 * @throws UsageError when the configuration cannot be carried out, the output is taken, or an
 * unfinished run to it is another one
 * @throws NumericError when the training diverges; its last good state is kept
 * @throws FewbitError of the kind that fits
 */
export async function trainModel(
  input: TrainConfigInput,
  options: TrainModelOptions,
): Promise<TrainRecord> {
  const config = parseTrainConfig(input);
  const { backend, emit } = options;
  const precision = choosePrecision(config.precision, backend);
  const { from } = config;
  const opened = from ? await openOriginal(from, backend, asEvents(options)) : null;
  try {
    const texts = await hashTexts(config);
    const start = { checkpoint: opened?.checkpoint ?? null, precision };
    const identity = await identifyTraining(config, texts, start, backend);
    const record = await runInFolder({ config, opened, texts, precision, identity, options });
    emit({ type: "done", record });
    return record;
  } finally {
    await opened?.checkpoint.close();
  }
}

async function runInFolder(job: TrainJob): Promise<TrainRecord> {
  const { config, opened, options, identity } = job;
  const { out, overwrite = false, resume = "auto" } = options;
  const inputs = [opened?.directory, config.tokenizer].filter((path) => typeof path === "string");
  const settled = await settleEarlierTraining(out, identity, resume);
  if (settled) return settled;
  const folder = await openResumable(out, { overwrite, inputs });
  const files = new TrainingFiles(folder.journalPath, identity);
  try {
    const differences = await files.differences();
    if (differences && differences.length > 0) throw otherRun(folder.path, differences);
    if (!differences) await emptyDirectory(folder.workPath);
    const record = await new TrainRun(job, folder, files).work();
    await folder.commit();
    return record;
  } catch (error) {
    if ((await files.progress()) === null) await folder.abort();
    else await folder.leave();
    throw error;
  }
}

/**
 * Makes way for a training to `out`: with `restart` nothing of an earlier one is left. Returns the
 * record when the same training was stopped after its output had got its name, in the last step of
 * all.
 */
async function settleEarlierTraining(
  out: string,
  identity: RunIdentity,
  choice: ResumeChoice,
): Promise<TrainRecord | null> {
  if (choice === "restart") await discardUnfinished(out);
  const journalPath = await findCommitted(out);
  if (journalPath === null) return null;
  const differences = await new TrainingFiles(journalPath, identity).differences();
  await finishCommit(out);
  if (choice === "restart" || differences?.length !== 0) return null;
  return (await readJsonObject(joinPath(out, "run.json"))) as unknown as TrainRecord;
}
