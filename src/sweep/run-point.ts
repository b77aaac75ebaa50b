import type { Backend } from "../backend/backend.ts";
import type { Task } from "../evaluation/tasks/task.ts";
import { joinPath } from "../platform/node.ts";
import { load } from "../runtime/load.ts";
import { type FileHashes, hashData } from "./recipe/identify-points.ts";
import { makeCheckpoint } from "./make-checkpoint.ts";
import { type Made, measurePoint } from "./measure-point.ts";
import type { OriginalCache } from "./original-cache.ts";
import type { Claim, Finished } from "./queue/point-queue.ts";
import { readCheckpointRecord } from "./recipe/given-checkpoints.ts";
import { folderName } from "./recipe/point-command.ts";
import type { CheckpointRecord, SweepPoint } from "./results/sweep-results.ts";

/** What work on points needs besides the points. */
export interface PointTools {
  readonly backend: Backend;
  /** The module of the process that makes checkpoints. */
  readonly helper: string;
  /** Folder of what points have in common. */
  readonly sharedFolder: string;
  /** Folder that checkpoints are made in. */
  readonly models: string;
  readonly tasks: readonly Task[];
  readonly hashes: FileHashes;
  readonly originals: OriginalCache;
  /** Estimated share of making the checkpoint in a point's work, 0 to 1. */
  readonly makeShare: (point: SweepPoint) => number;
  readonly onProgress: (activity: string, share: number) => void;
  readonly onNotice: (message: string) => void;
}

const notMade = { makeMs: null, makeProcessorMs: null, peakMemoryBytes: null };

/** Makes a point's checkpoint, unless it is there, and measures it. */
export async function runPoint(
  { point, work }: Claim,
  tools: PointTools,
  signal: AbortSignal,
): Promise<Finished> {
  const { backend, hashes, tasks, originals, onProgress } = tools;
  const { evaluation, checkpoint } = work;
  const isMade = Boolean(work.recipe ?? work.training);
  const makeShare = isMade ? tools.makeShare(point) : 0;
  const onMeasured = (activity: string, share: number): void =>
    onProgress(activity, makeShare + share * (1 - makeShare));
  const measurement = { evaluation, tasks, hashes, signal, onProgress: onMeasured };
  const data = await hashData(work, tasks, hashes);
  if (!isMade && checkpoint === undefined) {
    const self = await originals.take(work.model, signal);
    const alone = { ...measurement, original: null, self, made: notMade };
    const result = await measurePoint(self.model, alone);
    return { result, run: null, data };
  }
  const directory = checkpoint ?? checkpointFolder(tools.models, point);
  const onMade = (activity: string, share: number): void => onProgress(activity, share * makeShare);
  const run = isMade
    ? await makeCheckpoint(work, directory, { ...tools, signal, onProgress: onMade })
    : await readCheckpointRecord(directory);
  const original = evaluation.kl ? await originals.take(work.model, signal) : null;
  const model = await load(directory, { backend, signal, onNotice: tools.onNotice });
  try {
    // What a checkpoint cost that was there already was measured elsewhere.
    const made = isMade ? costOf(run) : notMade;
    const result = await measurePoint(model, { ...measurement, original, made });
    // What was measured on another text than was hashed is no result of this point.
    await hashes.expectUnchanged();
    return { result, run, data };
  } finally {
    model.release();
  }
}

function costOf({ elapsedMs, processorMs, peakMemoryBytes }: CheckpointRecord): Made {
  return { makeMs: elapsedMs, makeProcessorMs: processorMs, peakMemoryBytes };
}

/** Folder of a point's checkpoint. */
export function checkpointFolder(models: string, { id, model, label }: SweepPoint): string {
  return joinPath(models, `${folderName(`${model} ${label}`).slice(0, 80)}-${id.slice(0, 12)}`);
}
