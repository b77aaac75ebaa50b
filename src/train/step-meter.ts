import { meansOfSpans, TrainingPace } from "../run/training-record.ts";
import type { StepReport } from "../training/training-loop.ts";
import type { TrainingProgress } from "../training/training-store.ts";
import type { TrainEvent, TrainPlan } from "./pretrain-events.ts";
import type { LossPoint } from "./pretrain-record.ts";

/** Share of each new loss in the smoothed one, after the first steps. */
const smoothing = 0.05;
/** Losses that a record has at most. */
const mostPoints = 500;

/**
 * Turns the steps of a run into progress events: smoothed loss, speed and time left.
 */
export class StepMeter {
  private readonly pace: TrainingPace;
  private readonly learningRate: number;
  private steps = 0;
  private smoothedLoss = 0;

  constructor(plan: TrainPlan, learningRate: number, from: TrainingProgress | null) {
    this.pace = new TrainingPace(plan.tokensPerStep, from);
    this.learningRate = learningRate;
  }

  /** Counts a step. */
  count(report: StepReport): Extract<TrainEvent, { readonly type: "step" }> {
    const { step, steps, loss, validation, gradientNorm, elapsedMs } = report;
    this.steps++;
    this.smoothedLoss += Math.max(smoothing, 1 / this.steps) * (loss - this.smoothedLoss);
    return {
      type: "step",
      step,
      steps,
      loss,
      validation,
      gradientNorm,
      elapsedMs,
      smoothedLoss: this.smoothedLoss,
      learningRate: this.learningRate * report.rate,
      ...this.pace.take(report),
    };
  }
}

/** Means of a run's losses over spans of equal length, at most 500 of them. */
export function thinOut(losses: readonly number[]): LossPoint[] {
  const { span, means } = meansOfSpans(losses, mostPoints);
  return means.map((loss, i) => ({ step: Math.min(losses.length, (i + 1) * span), loss }));
}
