import { addInto, copyInto } from "../tensor/ops.ts";
import { emptyLike, type Tensor } from "../tensor/tensor.ts";
import { monotonicMs, nextTurn } from "../platform/node.ts";
import { CancelledError, NumericError, throwIfCancelled, UsageError } from "../util/errors.ts";
import { sum } from "../util/sums.ts";
import { DivergenceGuard, type DivergenceLimits } from "./divergence-guard.ts";
import { clipFactor, type GradientNorms, readNorms, sumGradientSquares } from "./gradient-norm.ts";
import { makeOptimizer, type OptimizerSettings } from "./make-optimizer.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Gradients, Parameter } from "./parameter.ts";
import { expectSchedule, type Schedule, scheduleFactor } from "./schedule.ts";
import type {
  TrainingProgress,
  TrainingStore,
  TrainingTensors,
  Validation,
} from "./training-store.ts";

/** A part of the loss, still being computed: its value is `scale · Σ values`. */
export interface LossTerm {
  /** Name for reports, where there are several. */
  readonly name?: string;
  /** Released by the loop. */
  readonly values: Tensor;
  readonly scale: number;
}

/** Forward and backward pass of one micro-batch, enqueued. */
export interface MicroBatch {
  /** The loss is their sum; a mean over the micro-batch. */
  readonly loss: readonly LossTerm[];
  /** Gradients of that loss by the parameters, in their order; the loop owns and releases them. */
  readonly gradients: Gradients;
}

/** The outcome of one step. */
export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  readonly steps: number;
  /** Mean over the micro-batches. */
  readonly loss: number;
  /** Terms of the loss by name; empty where they have none. */
  readonly terms: Readonly<Record<string, number>>;
  /** Before clipping. */
  readonly gradientNorm: number;
  /** Factor of the schedule. */
  readonly rate: number;
  /** Loss on held-out data, when it was measured after this step. */
  readonly validation: number | null;
  /** Time at work so far, that of interrupted runs included. */
  readonly elapsedMs: number;
}

/** What a training has come to. */
export interface TrainingOutcome extends TrainingProgress {
  /** Loss on what the first step saw, before the training and after it; null: not measured. */
  readonly firstStep: { readonly before: number; readonly after: number } | null;
  /** What a run that `keepsBest` has ended with; null for others, which end with their last step. */
  readonly kept: Validation | null;
  /** Why a run that `keepsBest` has ended before its last step: it diverged. Null where not. */
  readonly diverged: string | null;
}

/** What is trained, and how. */
export interface TrainOptions {
  readonly parameters: readonly Parameter[];
  readonly steps: number;
  /** Micro-batches a step, whose losses and gradients are averaged. Default 1. */
  readonly accumulation?: number;
  /** Largest norm of all gradients together; null or absent: they are not clipped. */
  readonly clip?: number | null;
  readonly schedule: Schedule;
  readonly optimizer: OptimizerSettings;
  /**
   * Enqueues forward and backward of micro-batch `micro` of step `step` (both from 0), without
   * waiting, unless for its data. What it does must be a function of these numbers and the
   * parameters.
   */
  readonly loss: (step: number, micro: number) => MicroBatch | Promise<MicroBatch>;
  /** Changes parameters in place after each step of the optimizer; enqueues only. */
  readonly afterStep?: () => void;
  /** Measures the held-out loss before the first step, every so many, and after the last. */
  readonly validation?: { readonly every: number; readonly measure: () => Promise<number> } | null;
  /**
   * Whether the run ends with the parameters whose held-out loss was the lowest, those it began with
   * included; when it diverges, it ends early. Default false.
   */
  readonly keepsBest?: boolean;
  /** Keeps the state, and supplies one to resume from. */
  readonly store?: TrainingStore;
  /**
   * Steps between two states; one whose loss lies above where it began is left out. Default: only
   * the last is kept, and that of a cancelled run.
   */
  readonly checkpointEvery?: number;
  readonly guard?: DivergenceLimits;
  /** Whether the loss of the first step is measured again at the end and judged. Default true. */
  readonly judgesEnd?: boolean;
  readonly onStep?: (report: StepReport) => void;
  /** Whether the run ends although steps are left, by what validation has given so far. */
  readonly stop?: (validations: readonly Validation[]) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Trains parameters in place: forward, backward, clipping, a step of the optimizer. With a store, a
 * run that was interrupted resumes from the state that was kept last, to the same values as one that
 * was not.
 * When `signal` is aborted the state is kept first.
 * @throws NumericError when the loss or a gradient is not finite, the loss stays above where it
 * began (both unless it `keepsBest`), or what the first step saw has a clearly higher loss at the
 * end than before it
 * @throws UsageError when the options cannot be carried out
 * @throws CancelledError when `signal` is aborted
 */
export async function runTraining(options: TrainOptions): Promise<TrainingOutcome> {
  expectOptions(options);
  const run = new TrainingRun(options);
  try {
    return await run.work();
  } finally {
    run.release();
  }
}

class TrainingRun {
  private readonly options: TrainOptions;
  private readonly optimizer: Optimizer;
  private readonly guard: DivergenceGuard;
  private readonly tensors: TrainingTensors;
  /** The parameters when the held-out loss was the lowest; empty unless the run `keepsBest`. */
  private readonly best: readonly Tensor<"f32">[];
  private readonly losses: number[] = [];
  private readonly validations: Validation[] = [];
  private readonly startedMs = monotonicMs();
  private earlierMs = 0;
  private step = 0;
  private keptStep: number | null = null;

  constructor(options: TrainOptions) {
    const { parameters, steps, keepsBest = false } = options;
    this.options = options;
    this.best = keepsBest ? parameters.map(({ value }) => emptyLike(value)) : [];
    this.optimizer = makeOptimizer(parameters, options.optimizer);
    this.guard = new DivergenceGuard(parameters, steps, options.guard);
    this.tensors = new Map([
      ...parameters.map(({ name, value }) => [name, value] as const),
      ...this.optimizer.state,
      ...this.best.map((value, i) => [`${parameters[i].name}:best`, value] as const),
    ]);
  }

  async work(): Promise<TrainingOutcome> {
    const { keepsBest = false } = this.options;
    await this.resume();
    let diverged: string | null = null;
    try {
      await this.validate();
      await this.doSteps();
    } catch (error) {
      if (error instanceof CancelledError) await this.keep();
      if (!(keepsBest && error instanceof NumericError)) throw error;
      diverged = error.message;
    }
    const kept = keepsBest ? this.takeBest() : null;
    return { ...this.progress, firstStep: await this.judgeEnd(), kept, diverged };
  }

  release(): void {
    this.optimizer.release();
    for (const tensor of this.best) tensor.release();
  }

  private async doSteps(): Promise<void> {
    const { steps, signal, stop, checkpointEvery = Number.POSITIVE_INFINITY } = this.options;
    while (this.step < steps) {
      // A backend that computes on this thread would not let Ctrl-C through.
      await nextTurn();
      throwIfCancelled(signal);
      await this.doStep();
      const isLast = this.step === steps || (stop?.(this.validations) ?? false);
      const isDue = this.step % checkpointEvery === 0 && !this.guard.isAbove;
      if (isLast || isDue) await this.keep();
      if (isLast) break;
    }
  }

  /** Makes the parameters those of the lowest held-out loss. */
  private takeBest(): Validation {
    const best = lowest(this.validations);
    if (best.step === this.step) return best;
    for (const [i, { value }] of this.options.parameters.entries()) copyInto(value, this.best[i]);
    return best;
  }

  private get elapsedMs(): number {
    return this.earlierMs + monotonicMs() - this.startedMs;
  }

  private get progress(): TrainingProgress {
    const { step, losses, validations, elapsedMs } = this;
    return { step, losses: [...losses], validations: [...validations], elapsedMs };
  }

  private async resume(): Promise<void> {
    const earlier = await this.options.store?.read(this.tensors);
    if (!earlier) return;
    this.step = earlier.step;
    this.keptStep = earlier.step;
    this.earlierMs = earlier.elapsedMs;
    this.losses.push(...earlier.losses);
    this.validations.push(...earlier.validations);
    this.guard.replay(earlier.losses);
  }

  private async keep(): Promise<void> {
    const { store } = this.options;
    if (!store || this.step === 0 || this.step === this.keptStep) return;
    await store.write(this.progress, this.tensors);
    this.keptStep = this.step;
  }

  private async doStep(): Promise<void> {
    const { steps, accumulation = 1, clip = null, schedule, onStep } = this.options;
    const rate = scheduleFactor(schedule, this.step, steps);
    const { loss, terms, gradients, norms } = await this.measure(this.step, accumulation);
    try {
      const { keptStep } = this;
      const learningRate = this.largestRate * rate;
      this.guard.check(this.step, loss, norms, { learningRate, keptStep });
      const gradientScale = clipFactor(norms.total, clip) / accumulation;
      await this.optimizer.step(gradients, { step: this.step, rate, gradientScale });
      this.options.afterStep?.();
    } finally {
      releaseAll(gradients);
    }
    this.step++;
    this.losses.push(loss);
    const validation = await this.validate();
    const { step, elapsedMs } = this;
    onStep?.({ step, steps, loss, terms, gradientNorm: norms.total, rate, validation, elapsedMs });
  }

  /**
   * Measures the loss of the first step once more: the same data tell whether the training has made
   * it better, however few steps there were.
   * @throws NumericError when it is clearly worse than before the training
   */
  private async judgeEnd(): Promise<TrainingOutcome["firstStep"]> {
    const { accumulation = 1, judgesEnd = true, keepsBest = false } = this.options;
    const [before] = this.losses;
    if (!judgesEnd || keepsBest || before === undefined) return null;
    const { loss: after, gradients } = await this.measure(0, accumulation);
    releaseAll(gradients);
    const { keptStep, largestRate: learningRate } = this;
    this.guard.checkEnd(before, after, { learningRate, keptStep });
    return { before, after };
  }

  /**
   * Loss and gradients of a step with the parameters of now: gradients summed, losses averaged over
   * the micro-batches.
   */
  private async measure(
    step: number,
    accumulation: number,
  ): Promise<{
    loss: number;
    terms: Record<string, number>;
    gradients: Gradients;
    norms: GradientNorms;
  }> {
    const { options } = this;
    const parts: LossTerm[] = [];
    let gradients: Gradients = [];
    for (let micro = 0; micro < accumulation; micro++) {
      const batch = await options.loss(step, micro);
      parts.push(...batch.loss);
      gradients = micro === 0 ? batch.gradients : accumulate(gradients, batch.gradients);
    }
    const sums = sumGradientSquares(gradients);
    if (!sums) throw new UsageError("the loss depends on none of the parameters");
    const [norms, ...values] = await Promise.all([
      readNorms(sums, 1 / accumulation),
      ...parts.map(readTerm),
    ]);
    sums.release();
    const terms: Record<string, number> = {};
    let loss = 0;
    for (const [i, { name }] of parts.entries()) {
      const value = values[i] / accumulation;
      loss += value;
      if (name !== undefined) terms[name] = (terms[name] ?? 0) + value;
    }
    return { loss, terms, gradients, norms };
  }

  private async validate(): Promise<number | null> {
    const { step, validations } = this;
    const { validation, steps } = this.options;
    if (!validation || (step % validation.every !== 0 && step !== steps)) return null;
    if (validations.at(-1)?.step === step) return null;
    const loss = await validation.measure();
    validations.push({ step, loss });
    if (lowest(validations).step === step) {
      for (const [i, best] of this.best.entries()) copyInto(best, this.options.parameters[i].value);
    }
    return loss;
  }

  private get largestRate(): number {
    const { groups } = this.options.optimizer;
    return Math.max(...Object.values(groups).map(({ learningRate }) => learningRate));
  }
}

/** The lowest of held-out losses; the first of equals, and of those that are numbers. */
function lowest([first, ...others]: readonly Validation[]): Validation {
  return others.reduce((best, other) => (other.loss < best.loss ? other : best), first);
}

/** Sum of a loss term, in float64; its tensor is given back. */
export async function readTerm({ values, scale }: LossTerm): Promise<number> {
  const numbers = (await values.read()) as Float32Array | Float64Array;
  values.release();
  return sum(numbers) * scale;
}

/** Adds gradients to sums in place, gives them back, and returns the sums. */
function accumulate(sums: Gradients, gradients: Gradients): Gradients {
  return sums.map((total, i) => {
    const gradient = gradients[i];
    if (!total || !gradient) return total ?? gradient;
    addInto(total, gradient);
    gradient.release();
    return total;
  });
}

function releaseAll(gradients: Gradients): void {
  for (const gradient of gradients) gradient?.release();
}

function expectOptions(options: TrainOptions): void {
  const { parameters, steps, accumulation = 1, clip = null, checkpointEvery = 1 } = options;
  if (options.keepsBest && !options.validation) {
    throw new UsageError("a run that keeps its best state needs a held-out loss to judge by");
  }
  if (parameters.length === 0) throw new UsageError("expected at least one parameter, got none");
  const names = new Set(parameters.map(({ name }) => name));
  if (names.size < parameters.length) throw new UsageError("a name of a parameter comes twice");
  for (const [what, count] of Object.entries({ steps, accumulation, checkpointEvery })) {
    if (Number.isSafeInteger(count) && count >= 1) continue;
    throw new UsageError(`expected ${what} to be a whole number of at least 1, got ${count}`);
  }
  if (clip !== null && !(clip > 0)) {
    throw new UsageError(`expected a clipping norm above 0, got ${clip}`);
  }
  expectSchedule(options.schedule, steps);
}
