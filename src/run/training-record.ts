import type { StepReport } from "../training/train.ts";
import type { TrainingProgress } from "../training/training-store.ts";

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
}

/** Sums up a training; long ones get a loss for several steps at a time. */
export function describeTraining(
  { step, losses, elapsedMs }: TrainingProgress,
  tokensPerStep: number,
): TrainingRecord {
  const stepsAPoint = Math.max(1, Math.ceil(losses.length / curvePoints));
  const points = Array.from({ length: Math.ceil(losses.length / stepsAPoint) }, (_, i) => {
    const part = losses.slice(i * stepsAPoint, (i + 1) * stepsAPoint);
    return part.reduce((sum, loss) => sum + loss, 0) / part.length;
  });
  return {
    steps: step,
    tokensPerStep,
    elapsedMs,
    tokensPerSecond: elapsedMs > 0 ? (step * tokensPerStep * 1000) / elapsedMs : 0,
    losses: points,
    stepsAPoint,
  };
}

/** Speed and time left of a training, from the steps of this process. */
export class TrainingPace {
  private readonly tokensPerStep: number;
  private first: { readonly step: number; readonly elapsedMs: number } | null = null;

  constructor(tokensPerStep: number) {
    this.tokensPerStep = tokensPerStep;
  }

  /** Takes a step; null until there are two to go by. */
  take({ step, steps, elapsedMs }: StepReport): {
    tokensPerSecond: number | null;
    remainingMs: number | null;
  } {
    this.first ??= { step, elapsedMs };
    const done = step - this.first.step;
    const workMs = elapsedMs - this.first.elapsedMs;
    if (done === 0 || workMs <= 0) return { tokensPerSecond: null, remainingMs: null };
    return {
      tokensPerSecond: (done * this.tokensPerStep * 1000) / workMs,
      remainingMs: (workMs / done) * (steps - step),
    };
  }
}
