import { NumericError } from "../util/errors.ts";
import type { GradientNorms } from "./gradient-norm.ts";
import type { Parameter } from "./parameter.ts";

/** When a run counts as diverging. */
export interface DivergenceLimits {
  /** Share of the starting loss by which the smoothed loss must lie above it. Default 0.1. */
  readonly margin?: number;
  /** Steps in a row that are too long. Default: a tenth of the run, at least 50, at most 500. */
  readonly patience?: number;
}

/** What a person needs to know when a run is stopped. */
export interface DivergenceContext {
  /** Learning rate of the step, the largest of the groups. */
  readonly learningRate: number;
  /** Steps of the last state that was kept; null when there is none. */
  readonly keptStep: number | null;
}

/** Steps whose mean loss is the starting loss. */
const startingSteps = 10;
/** How far above the first loss, that of the untouched model, a loss of these counts at most. */
const largestStart = 1.5;
/**
 * Share of the loss before by which the loss after a training must lie above it to be an error: the
 * first steps of some methods make it worse, before all that follow make it better.
 */
const endMargin = 0.25;
/** Share of each new loss in the smoothed one. */
const smoothing = 0.05;

/**
 * Stops a run that has gone wrong: a loss or gradient that is NaN or infinite, a smoothed loss that
 * stays above the starting one, or an end that is worse than the start. What it holds follows from the losses alone, so that a resumed
 * run is judged alike.
 */
export class DivergenceGuard {
  private readonly parameters: readonly Parameter[];
  private readonly margin: number;
  private readonly patience: number;
  private seen = 0;
  private firstLoss = 0;
  private startingLoss = 0;
  private smoothed = 0;
  private stepsAbove = 0;

  constructor(parameters: readonly Parameter[], steps: number, limits: DivergenceLimits = {}) {
    this.parameters = parameters;
    this.margin = limits.margin ?? 0.1;
    this.patience = limits.patience ?? Math.min(500, Math.max(50, Math.ceil(steps / 10)));
  }

  /** Whether the smoothed loss lies above the starting one: a state of now is not a good one. */
  get isAbove(): boolean {
    return this.stepsAbove > 0;
  }

  /** Takes the losses of steps that an interrupted run did. */
  replay(losses: readonly number[]): void {
    for (const loss of losses) this.follow(loss);
  }

  /** @throws NumericError when the run must not continue after this step (from 0) */
  check(step: number, loss: number, norms: GradientNorms, context: DivergenceContext): void {
    if (!Number.isFinite(loss) || !Number.isFinite(norms.total)) {
      throw this.nonFinite(step, loss, norms, context);
    }
    this.follow(loss);
    if (this.stepsAbove < this.patience) return;
    throw new NumericError(
      `training diverges: at step ${step + 1} the smoothed loss is ` +
        `${this.smoothed.toPrecision(4)}, and for ` +
        `${this.stepsAbove} steps it has been above the starting loss of ` +
        `${this.startingLoss.toPrecision(4)}; ` +
        `the largest gradient is that of ${this.parameters[indexOfLargest(norms.each)].name}`,
      { hint: adviceOf(context) },
    );
  }

  /**
   * Judges a training that is over by the loss of the first step, before and after.
   * @throws NumericError when it is clearly higher than before, or not finite
   */
  checkEnd(before: number, after: number, context: DivergenceContext): void {
    if (after <= before + endMargin * Math.abs(before)) return;
    throw new NumericError(
      `training diverged: after ${this.seen} steps the loss of what the first step saw is ` +
        `${after.toPrecision(4)}, and it was ${before.toPrecision(4)} before`,
      { hint: adviceOf(context) },
    );
  }

  private follow(loss: number): void {
    this.seen++;
    if (this.seen === 1) this.firstLoss = loss;
    if (this.seen <= startingSteps) {
      const counted = Math.min(loss, largestStart * this.firstLoss);
      this.startingLoss += (counted - this.startingLoss) / this.seen;
      this.smoothed = this.startingLoss;
      return;
    }
    this.smoothed += smoothing * (loss - this.smoothed);
    const above = this.smoothed > this.startingLoss + this.margin * Math.abs(this.startingLoss);
    this.stepsAbove = above ? this.stepsAbove + 1 : 0;
  }

  private nonFinite(
    step: number,
    loss: number,
    { each }: GradientNorms,
    context: DivergenceContext,
  ): NumericError {
    // The backward pass comes to the last parameters first.
    const last = each.findLastIndex((norm) => !Number.isFinite(norm));
    const where =
      last < 0
        ? "the gradients are finite one by one"
        : `the backward pass met it first at ${this.parameters[last].name}`;
    const what = Number.isFinite(loss) ? "a gradient" : `the loss (${loss})`;
    return new NumericError(
      `training diverged: ${what} is not finite at step ${step + 1}; ${where}`,
      {
        hint: adviceOf(context),
      },
    );
  }
}

function indexOfLargest(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}

function adviceOf({ learningRate, keptStep }: DivergenceContext): string {
  const kept =
    keptStep === null ? "no state was kept yet" : `the state after step ${keptStep} is kept`;
  return (
    `try a learning rate below ${learningRate.toPrecision(3)}, a longer warm-up, or ` +
    `clipping; ${kept}`
  );
}
