import type { EarlierStage } from "./quantization-job.ts";
import { addUsage } from "./run-clock.ts";
import type { FinisherRecord, RunRecord } from "./run-record.ts";

/** Record of a chain: what the quantizer did, the last finisher made, each finisher did. */
export function joinStages(
  { recipe, record: before, identity }: EarlierStage,
  last: RunRecord,
): RunRecord {
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
  return {
    ...before,
    recipe,
    identity: identity ?? last.identity,
    ...addUsage(before, last),
    resumptions: [...before.resumptions, ...last.resumptions],
    sizeBytes: last.sizeBytes,
    bitsPerWeight: last.bitsPerWeight,
    finishers: [...(before.finishers ?? []), finisher],
  };
}
