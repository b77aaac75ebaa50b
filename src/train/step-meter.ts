import { monotonicMs } from "../platform/node.ts";
import type { StepReport } from "../training/train.ts";
import type { TrainEvent, TrainPlan } from "./train-events.ts";
import type { LossPoint } from "./train-record.ts";

/** Share of each new loss in the smoothed one, after the first steps. */
const smoothing = 0.05;
/** Losses that a record has at most. */
const mostPoints = 500;

/**
 * Turns the steps of a run into progress events: smoothed loss, speed and the time that is left.
 */
export class StepMeter {
  private readonly plan: TrainPlan;
  private readonly learningRate: number;
  private readonly startedMs: number = monotonicMs();
  private steps = 0;
  private smoothedLoss = 0;

  constructor(plan: TrainPlan, learningRate: number) {
    this.plan = plan;
    this.learningRate = learningRate;
  }

  /** Counts a step. */
  count(report: StepReport): Extract<TrainEvent, { readonly type: "step" }> {
    const { step, steps, loss, validation, gradientNorm, rate, elapsedMs } = report;
    this.steps++;
    this.smoothedLoss += Math.max(smoothing, 1 / this.steps) * (loss - this.smoothedLoss);
    const msPerStep = (monotonicMs() - this.startedMs) / this.steps;
    return {
      type: "step",
      step,
      steps,
      loss,
      smoothedLoss: this.smoothedLoss,
      validation,
      gradientNorm,
      learningRate: this.learningRate * rate,
      tokensPerSecond: (1000 * this.plan.tokensPerStep) / msPerStep,
      elapsedMs,
      remainingMs: (steps - step) * msPerStep,
    };
  }
}

/** Means of a run's losses over spans of equal length, at most 500 of them. */
export function thinOut(losses: readonly number[]): LossPoint[] {
  const span = Math.ceil(losses.length / mostPoints);
  const points: LossPoint[] = [];
  for (let start = 0; start < losses.length; start += span) {
    const part = losses.slice(start, start + span);
    const loss = part.reduce((sum, value) => sum + value, 0) / part.length;
    points.push({ step: start + part.length, loss });
  }
  return points;
}
