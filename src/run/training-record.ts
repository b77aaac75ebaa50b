import type { StepReport, TrainingOutcome } from "../training/training-loop.ts";
import type { TrainingProgress, Validation } from "../training/training-store.ts";

/** Points of a loss curve that are kept for the record. */
const curvePoints = 1000;

/** What a training of the whole model was. */
export interface TrainingRecord {
  readonly steps: number;
  readonly tokensPerStep: number;
  /** Time at work in the loop; what interrupted runs had done and lost again is not in it. */
  readonly elapsedMs: number;
  readonly tokensPerSecond: number;
  /** Mean loss over each stretch of `stepsAPoint` steps. */
  readonly losses: readonly number[];
  readonly stepsAPoint: number;
  /** Loss on what the first step saw, before the training and after it. */
  readonly firstStep: TrainingOutcome["firstStep"];
  /** Held-out losses of trainings that keep their best state, from the start on. */
  readonly heldOut?: readonly Validation[];
  /** Steps behind the state that was kept, where the best one was. */
  readonly keptStep?: number;
  /** What a user should know of a training that went wrong; absent when it did not. */
  readonly setback?: string;
}

/**
 * Says that a training diverged, has made the loss of its first step higher, or ended with a state
 * before its last; null where none of it is so.
 */
export function describeSetback(outcome: TrainingOutcome): string | null {
  const { firstStep, kept } = outcome;
  if (kept) return describeKept(outcome, kept);
  if (!firstStep || firstStep.after <= firstStep.before) return null;
  const { before, after } = firstStep;
  return (
    "the training has made the model no better: the loss of what its first step saw is " +
    `${after.toPrecision(4)}, and was ${before.toPrecision(4)} before; ` +
    "try a lower learning rate, or more steps"
  );
}

function describeKept(
  { step, validations, diverged }: TrainingOutcome,
  kept: Validation,
): string | null {
  const [{ loss: before }] = validations;
  const advice = "try a lower learning rate, or more text";
  const is = `its held-out loss is ${kept.loss.toPrecision(4)}, and was ${before.toPrecision(4)}`;
  if (diverged !== null) {
    const what = kept.step === 0 ? "the model is as it was before" : stateOf(kept, step);
    return `${diverged}; ${what}${kept.step === 0 ? "" : `: ${is}`}; ${advice}`;
  }
  if (kept.step === step) return null;
  if (kept.step > 0) return `the training went past its best: ${stateOf(kept, step)}: ${is}`;
  const after = Math.min(...validations.slice(1).map(({ loss }) => loss));
  return (
    "the training has made the model no better, and it is as it was before: the held-out loss was " +
    `${before.toPrecision(4)}, and ${after.toPrecision(4)} at best after it; ${advice}`
  );
}

function stateOf({ step }: Validation, steps: number): string {
  return `the state after step ${step} of ${steps} is kept`;
}

/** Sums up a training; long ones get a loss for several steps at a time. */
export function describeTraining(outcome: TrainingOutcome, tokensPerStep: number): TrainingRecord {
  const { step, losses, elapsedMs, firstStep, kept, validations } = outcome;
  const setback = describeSetback(outcome);
  const { span: stepsAPoint, means } = meansOfSpans(losses, curvePoints);
  return {
    steps: step,
    tokensPerStep,
    elapsedMs,
    tokensPerSecond: elapsedMs > 0 ? (step * tokensPerStep * 1000) / elapsedMs : 0,
    losses: means,
    stepsAPoint,
    firstStep,
    ...(kept && { heldOut: validations, keptStep: kept.step }),
    ...(setback !== null && { setback }),
  };
}

/** Speed and time left of a training, from the steps of this process. */
export class TrainingPace {
  private readonly tokensPerStep: number;
  private readonly from: Pick<TrainingProgress, "step" | "elapsedMs">;

  /** `from`: what was done before; null when the training begins. */
  constructor(tokensPerStep: number, from: Pick<TrainingProgress, "step" | "elapsedMs"> | null) {
    this.tokensPerStep = tokensPerStep;
    this.from = from ?? { step: 0, elapsedMs: 0 };
  }

  /** Takes a step. */
  take({ step, steps, elapsedMs }: StepReport): { tokensPerSecond: number; remainingMs: number } {
    const msPerStep = (elapsedMs - this.from.elapsedMs) / (step - this.from.step);
    return {
      tokensPerSecond: (1000 * this.tokensPerStep) / msPerStep,
      remainingMs: (steps - step) * msPerStep,
    };
  }
}

/** Means over spans of equal length, at most `most` of them; the last span may be shorter. */
export function meansOfSpans(
  values: readonly number[],
  most: number,
): { readonly span: number; readonly means: number[] } {
  const span = Math.max(1, Math.ceil(values.length / most));
  const means = Array.from({ length: Math.ceil(values.length / span) }, (_, i) => {
    const some = values.slice(i * span, (i + 1) * span);
    return some.reduce((sum, value) => sum + value, 0) / some.length;
  });
  return { span, means };
}
