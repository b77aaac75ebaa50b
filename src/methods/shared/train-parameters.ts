import type { AdamWSettings } from "../../training/adamw.ts";
import { choosePrecision } from "../../training/choose-precision.ts";
import type { LossPass } from "../../training/loss-in-parts.ts";
import { nextTokenLoss } from "../../training/next-token-loss.ts";
import type { Parameter } from "../../training/parameter.ts";
import {
  type BatchOptions,
  listOfWindows,
  type TokenBatch,
  TokenBatches,
} from "../../training/token-batches.ts";
import {
  type MicroBatch,
  readTerm,
  runTraining,
  type TrainingOutcome,
  type TrainOptions,
} from "../../training/training-loop.ts";
import type { ModelProblem } from "../define-method.ts";
import { scheduleOf, type TrainingLength, type TrainingOptions } from "./training-options.ts";

/** How the parameters of a model are trained. */
export interface ModelTraining {
  readonly parameters: readonly Parameter[];
  readonly optimizer: AdamWSettings;
  readonly length: TrainingLength;
  /** Enqueues a micro-batch and its gradients; by default of next-token cross-entropy. */
  readonly loss?: (batch: TokenBatch, pass: LossPass) => MicroBatch;
  /**
   * Windows to put aside: what they say is best is what the training ends with. With 0 of them those
   * of the first micro-batch judge. Left out, the training ends with its last step.
   */
  readonly heldOut?: number;
  /** Changes parameters in place after each step of the optimizer; enqueues only. */
  readonly afterStep?: () => void;
}

/** Steps between two looks at the held-out windows, at most; short runs have five looks. */
const mostBetweenLooks = 50;
const looks = 5;

/**
 * Trains parameters that a model depends on, end to end, as the options say.
 * @throws NumericError when training diverges; CancelledError when the problem's signal is aborted
 */
export async function trainParameters(
  problem: ModelProblem<TrainingOptions>,
  training: ModelTraining,
): Promise<TrainingOutcome> {
  const { options } = problem;
  const { batch: size, accumulation, clip, checkpointEvery, moments } = options;
  return trainOnWindows(problem, {
    ...training,
    optimizer: { ...training.optimizer, moments },
    size,
    accumulation,
    clip: clip === 0 ? null : clip,
    schedule: scheduleOf(options),
    checkpointEvery,
    loss: lossOfBatches(problem, training),
  });
}

/** Windows to train on, and who keeps and hears of the training. */
export type WindowProblem = Pick<
  ModelProblem<unknown>,
  "windows" | "targets" | "seed" | "signal" | "store" | "onStep"
>;

/** How parameters are trained on windows. */
export interface WindowTraining
  extends Pick<
    TrainOptions,
    | "parameters"
    | "optimizer"
    | "accumulation"
    | "clip"
    | "schedule"
    | "checkpointEvery"
    | "afterStep"
  > {
  readonly length: TrainingLength;
  /** Windows a micro-batch. */
  readonly size: number;
  /** Loss of a micro-batch, and its gradients by parameters, of which there may be none. */
  readonly loss: LossOf;
  /** As in `ModelTraining`. */
  readonly heldOut?: number | undefined;
}

/** Trains parameters on windows; throws as `trainParameters` does. */
export async function trainOnWindows(
  { windows, targets, seed, signal, store, onStep }: WindowProblem,
  { length, size, loss, heldOut, ...how }: WindowTraining,
): Promise<TrainingOutcome> {
  const { parameters, accumulation = 1 } = how;
  const { kept, judges } = putAside({ windows, targets }, heldOut ?? 0);
  const batchOf = batchesOf(kept, { size, order: length.order, seed });
  return runTraining({
    ...how,
    steps: length.steps,
    loss: (step, micro) => loss(batchOf(step * accumulation + micro), parameters),
    ...(heldOut !== undefined && judgedBy(judges ?? batchOf(0), size, length.steps, loss)),
    store,
    onStep,
    signal,
  });
}

/** Text to train on. */
type Text = Pick<ModelProblem<unknown>, "windows" | "targets">;

/** Puts windows aside, evenly spread over the text; null for none. */
function putAside(
  { windows, targets }: Text,
  count: number,
): { readonly kept: Text; readonly judges: TokenBatch | null } {
  if (count === 0) return { kept: { windows, targets }, judges: null };
  const aside = new Set(
    Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * windows.length) / count)),
  );
  const part = (isAside: boolean): Text => {
    const take = (all: readonly Int32Array[]) => all.filter((_, i) => aside.has(i) === isAside);
    return { windows: take(windows), targets: targets && take(targets) };
  };
  const judges = batchesOf(part(true), { size: count, order: "sequential", seed: 0 })(0);
  return { kept: part(false), judges };
}

/** Batches of a text by their number, with what is to be predicted where the text says so. */
function batchesOf(
  { windows, targets }: Text,
  drawn: BatchOptions,
): (number: number) => TokenBatch {
  const batches = new TokenBatches(listOfWindows(windows), drawn);
  const predicted = targets && new TokenBatches(listOfWindows(targets), drawn);
  return (number) => ({
    ids: batches.at(number),
    length: batches.length,
    ...(predicted && { targets: predicted.at(number) }),
  });
}

type LossOf = (
  batch: TokenBatch,
  parameters: readonly Parameter[],
) => MicroBatch | Promise<MicroBatch>;

function lossOfBatches(
  { model, options }: ModelProblem<TrainingOptions>,
  training: ModelTraining,
): LossOf {
  const { recompute, windowsAtOnce } = options;
  const precision = choosePrecision(options.precision, model.model.backend);
  const {
    loss = (batch, pass) => nextTokenLoss({ model, recompute, windowsAtOnce }, batch, pass),
  } = training;
  return (batch, parameters) => loss(batch, { parameters, precision });
}

/** The loss of some windows, a few at a time, by which the best state is kept. */
function judgedBy(
  { ids, length, targets }: TokenBatch,
  size: number,
  steps: number,
  lossOf: LossOf,
): Pick<TrainOptions, "validation" | "keepsBest"> {
  const measure = async (): Promise<number> => {
    let total = 0;
    for (let from = 0; from < ids.length; from += size * length) {
      const part = ids.subarray(from, from + size * length);
      const wanted = targets?.subarray(from, from + size * length);
      const { loss } = await lossOf({ ids: part, length, ...(wanted && { targets: wanted }) }, []);
      for (const term of loss) total += (await readTerm(term)) * part.length;
    }
    return total / ids.length;
  };
  const every = Math.min(mostBetweenLooks, Math.max(1, Math.ceil(steps / looks)));
  return { validation: { every, measure }, keepsBest: true };
}
