import { describeMachine } from "../platform/node.ts";
import { openModel } from "../runtime/load.ts";
import { version } from "../util/version.ts";
import type { ProgressMeter } from "./progress.ts";
import type { EarlierStage, RunJob } from "./run.ts";
import { digestOf } from "./run-identity.ts";
import type {
  BlockRecord,
  EndRecord,
  FinisherRecord,
  LinearRecord,
  Resumption,
  RunRecord,
  TransformRecord,
} from "./run-record.ts";
import type { TrainingRecord } from "./training-record.ts";

/** What a run has done so far, part by part. */
export interface FinishedRecords {
  readonly transforms: TransformRecord[];
  readonly linears: LinearRecord[];
  readonly blocks: BlockRecord[];
  readonly ends: EndRecord[];
  readonly training?: TrainingRecord;
}

/** A run that is over. */
export interface FinishedRun {
  readonly job: RunJob;
  readonly meter: ProgressMeter;
  readonly startedAt: string;
  readonly resumptions: readonly Resumption[];
  readonly done: FinishedRecords;
  /** Calibration tokens; null without calibration. */
  readonly tokens: number | null;
}

/** Makes the record of a run whose checkpoint stands in `path`. */
export async function makeRecord(run: FinishedRun, path: string): Promise<RunRecord> {
  const { meter, done, tokens } = run;
  const { recipe, opened, options } = run.job;
  const { backend } = options;
  const made = await openModel(path, { backend });
  await made.checkpoint.close();
  made.model.releaseEnds();
  meter.sampleMemory();
  const { calibration } = recipe;
  const { identity, earlierStage } = run.job;
  const windows = calibration && tokens !== null ? tokens / calibration.window : null;
  const record: RunRecord = {
    fewbit: version,
    recipe,
    identity: digestOf(identity),
    origin: opened.origin,
    backend: { id: backend.id, level: backend.level, threads: backend.threads },
    machine: describeMachine(),
    startedAt: run.startedAt,
    elapsedMs: meter.elapsedMs,
    resumptions: run.resumptions,
    peakMemoryBytes: meter.peakBytes,
    peakAnonymousBytes: meter.peakAnonymousBytes,
    calibration: windows === null || tokens === null ? null : { windows, tokens },
    sourceBytes: opened.checkpoint.fileBytes,
    sizeBytes: made.sizes.file.bytes,
    bitsPerWeight: {
      linear: made.sizes.linear.bitsPerWeight,
      file: made.sizes.file.bitsPerWeight,
    },
    ...done,
    fallbacks: done.linears.filter(({ fallback }) => fallback).map(({ module }) => module),
  };
  return earlierStage ? joinStages(earlierStage, record) : record;
}

/** The record of a chain: what the quantizer did, what the last finisher made, and what each finisher did. */
function joinStages({ recipe, record: before }: EarlierStage, last: RunRecord): RunRecord {
  const { training, linears, elapsedMs, startedAt, calibration: text } = last;
  const changes = linears.map(({ relativeError }) => relativeError);
  const finisher: FinisherRecord = {
    method: last.recipe.method,
    startedAt,
    elapsedMs,
    text,
    training: training ?? null,
    change: changes.reduce((sum, change) => sum + change, 0) / Math.max(1, changes.length),
  };
  const largest = (a: number | null, b: number | null): number | null =>
    a === null || b === null ? null : Math.max(a, b);
  return {
    ...before,
    recipe,
    identity: last.identity,
    elapsedMs: before.elapsedMs + elapsedMs,
    resumptions: [...before.resumptions, ...last.resumptions],
    peakMemoryBytes: Math.max(before.peakMemoryBytes, last.peakMemoryBytes),
    peakAnonymousBytes: largest(before.peakAnonymousBytes, last.peakAnonymousBytes),
    sizeBytes: last.sizeBytes,
    bitsPerWeight: last.bitsPerWeight,
    finishers: [...(before.finishers ?? []), finisher],
  };
}
