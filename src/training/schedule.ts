import { UsageError } from "../util/errors.ts";

/** How the learning rate runs over the steps, as a factor on the rate that was asked for. */
export interface Schedule {
  /** Way from 1 to `finalRatio` after the warm-up. */
  readonly kind: "constant" | "linear" | "cosine";
  /** Steps of rise from 0 to 1: a number, or a share of the run below 1. Default 0. */
  readonly warmUp?: number;
  /** Factor at the end of the run. Default 0; a constant schedule stays at 1. */
  readonly finalRatio?: number;
}

/**
 * Returns the factor on the learning rate for step `step` (from 0) of `steps`. With `w` steps of
 * warm-up and `p = (step − w)/(steps − w)` it is `(step + 1)/w` for step < w, then `1 − (1 − r)·p`
 * (linear) or `r + (1 − r)·(1 + cos πp)/2` (cosine), r the final ratio: the last step is one short
 * of r, as in PyTorch's schedulers.
 */
export function scheduleFactor(schedule: Schedule, step: number, steps: number): number {
  const warm = warmUpSteps(schedule, steps);
  if (step < warm) return (step + 1) / warm;
  if (schedule.kind === "constant") return 1;
  const final = schedule.finalRatio ?? 0;
  const progress = Math.min(1, (step - warm) / Math.max(1, steps - warm));
  const left = schedule.kind === "linear" ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2;
  return final + (1 - final) * left;
}

/** Returns the steps of warm-up; a share is rounded up, as Hugging Face's trainer does. */
function warmUpSteps({ warmUp = 0 }: Schedule, steps: number): number {
  return warmUp < 1 ? Math.ceil(warmUp * steps) : warmUp;
}

/** Refuses a schedule that no run of `steps` can follow. @throws UsageError */
export function expectSchedule(schedule: Schedule, steps: number): void {
  const { warmUp = 0, finalRatio = 0 } = schedule;
  if (!(warmUp >= 0) || (warmUp >= 1 && !Number.isSafeInteger(warmUp))) {
    throw new UsageError(
      `expected a warm-up of a share below 1 or a whole number of steps, got ${warmUp}`,
    );
  }
  if (warmUpSteps(schedule, steps) > steps) {
    throw new UsageError(
      `a warm-up of ${warmUp} steps is longer than the ${steps} steps of the run`,
    );
  }
  if (!(finalRatio >= 0 && finalRatio <= 1)) {
    throw new UsageError(`expected a final ratio from 0 to 1, got ${finalRatio}`);
  }
}
