import { describeMachine } from "../platform/node.ts";
import { openModel } from "../runtime/load.ts";
import { version } from "../util/version.ts";
import type { EarlierStage } from "./run-job.ts";
import { digestOf } from "./identity.ts";
import type {
  BlockRecord,
  VocabularyTableRecord,
  FinisherRecord,
  LinearRecord,
  RunRecord,
  TransformRecord,
} from "./run-record.ts";
import type { RunState } from "./run-state.ts";
import type { TrainingRecord } from "./training-record.ts";

/** What a run has done so far, part by part. */
export interface FinishedRecords {
  readonly transforms: TransformRecord[];
  readonly linears: LinearRecord[];
  readonly blocks: BlockRecord[];
  readonly ends: VocabularyTableRecord[];
  readonly training?: TrainingRecord;
}

/**
 * Makes the record of a run whose checkpoint stands in its folder; `tokens` of calibration, null
 * without any.
 */
export async function makeRecord(
  { job, folder, meter, startedAt, resumptions }: RunState,
  done: FinishedRecords,
  tokens: number | null,
): Promise<RunRecord> {
  const { recipe, opened, options, identity, earlierStage } = job;
  const { backend } = options;
  const made = await openModel(folder.workPath, { backend });
  await made.checkpoint.close();
  made.model.releaseEmbeddingAndHead();
  meter.sampleMemory();
  const { calibration } = recipe;
  const windows = calibration && tokens !== null ? tokens / calibration.window : null;
  const record: RunRecord = {
    fewbit: version,
    recipe,
    identity: digestOf(identity),
    origin: opened.origin,
    backend: { id: backend.id, level: backend.level, threads: backend.threads },
    machine: describeMachine(),
    startedAt,
    elapsedMs: meter.elapsedMs,
    resumptions,
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

/**
 * The record of a chain: what the quantizer did, what the last finisher made, and what each
 * finisher did.
 */
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
