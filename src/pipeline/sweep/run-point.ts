import type { Backend } from "../../backend/backend.ts";
import type { Task } from "../../evaluation/tasks/task.ts";
import { readJsonObject } from "../../formats/json-file.ts";
import { exists, joinPath, resetPeakMemory } from "../../platform/node.ts";
import { load } from "../../runtime/load.ts";
import type { PipelineEvent } from "../events.ts";
import { runRecipe } from "../quantize.ts";
import type { RecipeInput } from "../recipe.ts";
import type { RunRecord } from "../run-record.ts";
import { type FileHashes, hashData } from "./identify-points.ts";
import { measurePoint } from "./measure-point.ts";
import type { OriginalShelf } from "./original-shelf.ts";
import type { Claim, Finished } from "./point-queue.ts";
import { folderName } from "./prepare-sweep.ts";
import type { SweepPoint } from "./sweep-results.ts";

/** What work on points needs besides the points. */
export interface PointTools {
  readonly backend: Backend;
  /** Folder that checkpoints are made in. */
  readonly models: string;
  readonly tasks: readonly Task[];
  readonly hashes: FileHashes;
  readonly originals: OriginalShelf;
  /** Share of a point's work that making it is thought to take, 0 to 1. */
  readonly makeShare: (point: SweepPoint) => number;
  readonly onProgress: (activity: string, share: number) => void;
  readonly onNotice: (message: string) => void;
}

/** Makes a point's checkpoint, unless it is there, and measures it. */
export async function runPoint(
  { point, work }: Claim,
  tools: PointTools,
  signal: AbortSignal,
): Promise<Finished> {
  const { backend, hashes, tasks, originals, onProgress } = tools;
  const { evaluation, recipe } = work;
  const makeShare = recipe ? tools.makeShare(point) : 0;
  const onMeasured = (activity: string, share: number): void =>
    onProgress(activity, makeShare + share * (1 - makeShare));
  const measurement = { evaluation, tasks, hashes, signal, onProgress: onMeasured };
  const data = await hashData(work, tasks, hashes);
  if (!recipe) {
    const { model } = await originals.take(work.model, signal);
    const figures = await measurePoint(model, { ...measurement, original: null });
    return { result: { ...figures, makeMs: null, peakMemoryBytes: null }, run: null, data };
  }
  const out = checkpointFolder(tools.models, point);
  const made = await makeCheckpoint(recipe, out, tools, makeShare, signal);
  const original = evaluation.kl ? await originals.take(work.model, signal) : null;
  const model = await load(out, { backend, signal });
  try {
    const figures = await measurePoint(model, { ...measurement, original });
    const { run, peakMemoryBytes } = made;
    return { result: { ...figures, makeMs: run.elapsedMs, peakMemoryBytes }, run, data };
  } finally {
    model.release();
  }
}

/** Folder of a point's checkpoint. */
export function checkpointFolder(models: string, { id, model, label }: SweepPoint): string {
  return joinPath(models, `${folderName(`${model} ${label}`).slice(0, 80)}-${id.slice(0, 12)}`);
}

/** Quantizes, going on with what an interrupted sweep had done of it. */
async function makeCheckpoint(
  recipe: RecipeInput,
  out: string,
  { backend, onProgress, onNotice }: PointTools,
  makeShare: number,
  signal: AbortSignal,
): Promise<{ run: RunRecord; peakMemoryBytes: number | null }> {
  if (await exists(out)) {
    // The folder got its name when it was whole, and the name has the hash of all that it depends on.
    const run = (await readJsonObject(joinPath(out, "run.json"))) as unknown as RunRecord;
    return { run, peakMemoryBytes: run.peakMemoryBytes };
  }
  const isOwnPeak = resetPeakMemory();
  const stage = { done: 0, of: 1 };
  const emit = (event: PipelineEvent): void => {
    if (event.type === "stage") Object.assign(stage, { done: event.stage - 1, of: event.stages });
    else if (event.type === "notice") onNotice(event.message);
    else if (event.type === "progress") report(event.activity, event.fraction);
    else if (event.type === "step") report(`step ${event.step}`, event.step / event.steps);
  };
  const report = (activity: string, fraction: number): void =>
    onProgress(activity, (makeShare * (stage.done + fraction)) / stage.of);
  const run = await runRecipe({ ...recipe, out }, { backend, signal, emit });
  return { run, peakMemoryBytes: isOwnPeak ? run.peakMemoryBytes : null };
}
