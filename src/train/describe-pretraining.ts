import { describeMachine } from "../platform/node.ts";
import { digestOf } from "../run/identity.ts";
import type { Run } from "../run/run.ts";
import type { TrainingProgress } from "../training/training-store.ts";
import { version } from "../util/version.ts";
import type { PretrainJob } from "./pretrain-job.ts";
import { thinOut } from "./step-meter.ts";
import type { TrainPlan } from "./pretrain-events.ts";
import type { TrainRecord } from "./pretrain-record.ts";

/** Describes a training whose weights are written. */
export function describePretraining(
  { config, opened, texts, precision, options }: PretrainJob,
  { clock, identity, startedAt, resumptions }: Run,
  done: {
    readonly plan: TrainPlan;
    readonly progress: TrainingProgress;
    readonly sizeBytes: number;
  },
): TrainRecord {
  const { id, level, threads } = options.backend;
  const { steps, tokensPerStep, parameters, textTokens } = done.plan;
  const { elapsedMs, losses, validations } = done.progress;
  const trainedTokens = steps * tokensPerStep;
  return {
    fewbit: version,
    kind: "train",
    config,
    identity: digestOf(identity),
    origin: opened?.origin ?? null,
    backend: { id, level, threads },
    precision,
    machine: describeMachine(),
    startedAt,
    resumptions: resumptions.map(({ interruptedAt, resumedAt, steps: step = 0 }) => ({
      interruptedAt,
      resumedAt,
      step,
    })),
    ...clock.usage,
    elapsedMs,
    texts,
    textTokens,
    trainedTokens,
    parameters,
    steps,
    tokensPerSecond: (1000 * trainedTokens) / elapsedMs,
    losses: thinOut(losses),
    validations,
    sizeBytes: done.sizeBytes,
  };
}
