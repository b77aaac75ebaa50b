import type { TrainingEffort } from "../methods/define-method.ts";
import type { StepReport } from "../training/training-loop.ts";
import type { TrainingProgress } from "../training/training-store.ts";
import type { Quantization } from "./quantization.ts";
import { TrainingPace } from "./training-record.ts";

/** Makes events of the steps of a training, which continues from what was done before. */
export function stepReporter(
  { job, run }: Pick<Quantization, "job" | "run">,
  effort: TrainingEffort | null,
  from: TrainingProgress | null,
): (report: StepReport) => void {
  const pace = new TrainingPace(tokensPerStep(effort), from);
  return (report) => {
    run.clock.sampleMemory();
    const { step, steps, loss, rate, gradientNorm } = report;
    const { elapsedMs } = run.clock;
    const state = { step, steps, loss, rate, gradientNorm, elapsedMs };
    job.options.emit({ type: "step", ...state, ...pace.take(report) });
  };
}

/** Tokens that a step of a training sees; 0 without one. */
export function tokensPerStep(effort: TrainingEffort | null): number {
  return effort ? effort.microBatchTokens * effort.accumulation : 0;
}
