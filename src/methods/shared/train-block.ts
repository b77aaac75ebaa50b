import type { ActivationWindows } from "../../calibration/activation-windows.ts";
import type { TapePrecision } from "../../tensor/tape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { LatentWeight } from "../../quant/latent-weight.ts";
import type { DivergenceLimits } from "../../training/divergence-guard.ts";
import type { Gradients, Parameter } from "../../training/parameter.ts";
import type { Schedule } from "../../training/schedule.ts";
import {
  runTraining,
  type TrainingOutcome,
  type TrainOptions,
} from "../../training/training-loop.ts";
import type { TrainingProgress } from "../../training/training-store.ts";
import { NumericError, UsageError } from "../../util/errors.ts";
import { meanOf } from "../../util/sums.ts";
import type { OwnedWindows, QuantizedBlock, WholeBlockProblem } from "../define-method.ts";
import { AugmentedTargets } from "./augmented-targets.ts";
import { BlockLoss, runBlock } from "./block-loss.ts";
import { type LatentStart, type SlotToTrain, TrainedSlots } from "./trained-slots.ts";
import { type BlockLossKind, WindowPairs } from "./window-pairs.ts";

/** How a block is trained towards the outputs of the original one. */
export interface BlockTraining {
  /** Makes the latent weight of a linear. */
  readonly latentOf: (slot: SlotToTrain) => Promise<LatentStart>;
  /** What is trained besides, of several linears together; the caller owns it. */
  readonly shared?: readonly Parameter[];
  /**
   * Moves what is trained to where training begins, once the block was judged as it is without it:
   * what training must be better than.
   */
  readonly begin?: (weights: readonly LatentWeight[]) => void;
  /**
   * Whether the block is trained towards what the original gives for the inputs of the quantized
   * one as well, with equal weight.
   */
  readonly augmented?: boolean;
  /**
   * Optimizer with its rates, given the latent weights of the block, the number of steps, and the
   * share of the usual rates.
   */
  readonly optimizer: (
    weights: readonly LatentWeight[],
    steps: number,
    share: number,
  ) => TrainOptions["optimizer"] | Promise<TrainOptions["optimizer"]>;
  /** Shares of the usual rates, each tried if the one before made the block worse. Default [1]. */
  readonly rateShares?: readonly number[];
  /** Number of steps, given that of the windows to train on. */
  readonly steps: (windows: number) => number;
  readonly schedule: Schedule;
  /** Windows a micro-batch. */
  readonly batch: number;
  /** Micro-batches a step. Default 1. */
  readonly accumulation?: number;
  readonly loss: BlockLossKind;
  /** Largest norm of the gradients; 0 leaves them as they are. */
  readonly clip: number;
  /** Windows that are held out, the last ones; left out, as many as is usual. */
  readonly validation?: number | undefined;
  /** Epochs without a better validation after which training ends; 0: never. */
  readonly patience: number;
  /**
   * Steps between two measurements of the loss by which a block is judged, of which the best is
   * packed; left out, what training ends with is.
   */
  readonly judgeEvery?: number;
  /** Adds to the gradients of a step (from 0) of so many, which it has by the parameters. */
  readonly addGradients?: (
    parameters: readonly Parameter[],
    gradients: Gradients,
    step: number,
    steps: number,
  ) => void;
  /** By default a training diverges at twice the loss that it began with. */
  readonly guard?: DivergenceLimits;
  readonly precision: TapePrecision | "auto";
}

/**
 * Trains the linears of a block, seen as values of their grids, by the squared error of the block's
 * outputs, and packs them. Where the training diverges, or leaves the block worse than it began, it
 * is done again with smaller rates if there are any, and in the end the values that it began with
 * are kept instead.
 */
export async function trainBlock(
  problem: WholeBlockProblem<unknown>,
  training: BlockTraining,
): Promise<QuantizedBlock> {
  const slots = await TrainedSlots.of(problem, training.latentOf, training.shared);
  try {
    const gradients = training.loss === "fisher" ? await gradientsOf(problem) : null;
    try {
      const targets = targetsOf(problem, training, slots);
      const pairs = WindowPairs.of({ ...problem, targets, gradients }, training);
      return await trainSlots(problem, training, slots, pairs);
    } finally {
      await gradients?.release();
    }
  } finally {
    slots.restore();
  }
}

function targetsOf(
  problem: WholeBlockProblem<unknown>,
  { augmented = false }: BlockTraining,
  slots: TrainedSlots,
): ActivationWindows {
  if (!augmented) return problem.targets;
  const ofOwnInputs = (input: Tensor<"f32">): Tensor<"f32"> =>
    slots.withOriginals(() => runBlock(problem, input));
  return new AugmentedTargets(problem, ofOwnInputs);
}

async function gradientsOf({ outputGradients }: WholeBlockProblem<unknown>): Promise<OwnedWindows> {
  if (outputGradients) return outputGradients();
  throw new UsageError("gradients by the outputs of a block are not had here", {
    hint: "use `loss: relative` or `loss: squared`",
    field: "options.loss",
    value: "fisher",
  });
}

async function trainSlots(
  problem: WholeBlockProblem<unknown>,
  training: BlockTraining,
  slots: TrainedSlots,
  pairs: WindowPairs,
): Promise<QuantizedBlock> {
  const { rateShares = [1] } = training;
  const loss = new BlockLoss(problem, slots.parameters, training.precision);
  try {
    const start = await slots.packStart();
    const lossBefore = await loss.mean(pairs.judgedPairs());
    training.begin?.(slots.weights);
    const again = rateShares.length > 1 ? await slots.snapshot() : null;
    let failure = "";
    let figures: Record<string, number> = { lossBefore };
    for (const [index, share] of rateShares.entries()) {
      if (index > 0) again?.restore();
      const tools = { pairs, slots, loss, share };
      const outcome = await attempt(problem, training, tools, lossBefore);
      figures = { ...outcome.figures, lossBefore, ...(index > 0 && { rateShare: share }) };
      if (outcome.failure === null) return { weights: await slots.pack(), figures };
      failure = outcome.failure;
    }
    return { weights: start, figures, fallback: `${keptStart}: ${failure}` };
  } finally {
    await pairs.release();
  }
}

const keptStart = "the values that the training began with are kept";

/** What a training came to; `failure` says why the block is not better for it. */
interface Attempt {
  readonly figures: Record<string, number>;
  readonly failure: string | null;
}

async function attempt(
  problem: WholeBlockProblem<unknown>,
  training: BlockTraining,
  tools: BlockTools,
  before: number,
): Promise<Attempt> {
  try {
    const outcome = await train(problem, training, tools);
    const { kept, diverged, validations } = outcome;
    const after = kept?.loss ?? (await tools.loss.mean(tools.pairs.judgedPairs()));
    const figures = { ...figuresOf(outcome, kept === null), lossAfter: after };
    if (kept ? kept.step > 0 : after <= before) return { figures, failure: null };
    const last = kept ? (validations.at(-1)?.loss ?? after) : after;
    return { figures, failure: diverged ?? worseThanBefore(before, last) };
  } catch (error) {
    if (!(error instanceof NumericError)) throw error;
    return { figures: {}, failure: error.message };
  }
}

function worseThanBefore(before: number, after: number): string {
  return (
    `it ended at a loss of ${after.toPrecision(4)}, from ${before.toPrecision(4)}; ` +
    "try a lower learning rate"
  );
}

/** What the steps of a block's training work with. */
interface BlockTools {
  readonly pairs: WindowPairs;
  readonly slots: TrainedSlots;
  readonly loss: BlockLoss;
  /** Of the usual rates. */
  readonly share: number;
}

async function train(
  { signal, report }: WholeBlockProblem<unknown>,
  training: BlockTraining,
  { pairs, slots, loss, share }: BlockTools,
): Promise<TrainingOutcome> {
  const { clip, batch, patience, schedule, judgeEvery, accumulation = 1 } = training;
  const steps = training.steps(pairs.count);
  const perEpoch = Math.ceil(pairs.count / batch);
  return runTraining({
    parameters: slots.parameters,
    steps,
    clip: clip === 0 ? null : clip,
    schedule,
    optimizer: await training.optimizer(slots.weights, steps, share),
    accumulation,
    loss: async (step, micro) => {
      const batch = loss.ofBatch(await pairs.batch(step * accumulation + micro));
      training.addGradients?.(slots.parameters, batch.gradients, step, steps);
      return batch;
    },
    ...(pairs.heldOut > 0 && {
      validation: { every: perEpoch, measure: () => loss.mean(pairs.heldOutPairs()) },
    }),
    ...(judgeEvery !== undefined && {
      validation: { every: judgeEvery, measure: () => loss.mean(pairs.judgedPairs()) },
      keepsBest: true,
    }),
    // A block begins close to its target, and the loss of a batch depends on its windows.
    guard: training.guard ?? { margin: 1 },
    judgesEnd: false,
    onStep: ({ step }) => report(`step ${step}/${steps}`, step / steps),
    stop: (validations) => patience > 0 && stagnates(validations, patience),
    signal,
  });
}

/** Whether the last `patience` measurements brought nothing better than those before. */
function stagnates(validations: readonly { readonly loss: number }[], patience: number): boolean {
  const losses = validations.map(({ loss }) => loss);
  const earlier = losses.slice(0, -patience);
  return earlier.length > 0 && Math.min(...losses.slice(-patience)) >= Math.min(...earlier);
}

/** Mean losses of the first and the last twentieth of the steps, and what the validation gave. */
function figuresOf(
  { step, losses, validations }: TrainingProgress,
  hasHeldOut: boolean,
): Record<string, number> {
  const share = Math.max(1, Math.floor(losses.length / 20));
  const [first, last] = [validations[0], validations.at(-1)];
  return {
    steps: step,
    firstLoss: meanOf(losses.slice(0, share)),
    lastLoss: meanOf(losses.slice(-share)),
    ...(hasHeldOut && first && last && { firstValidation: first.loss, lastValidation: last.loss }),
  };
}
