import type { TapePrecision } from "../../tensor/tape.ts";
import type { AdamWSettings } from "../../training/adamw.ts";
import { choosePrecision } from "../../training/choose-precision.ts";
import { nextTokenLoss, type TokenBatch } from "../../training/next-token-loss.ts";
import type { Parameter } from "../../training/parameter.ts";
import { listOfWindows, TokenBatches } from "../../training/token-batches.ts";
import {
  type MicroBatch,
  runTraining,
  type TrainingOutcome,
} from "../../training/training-loop.ts";
import type { ModelProblem } from "../define-method.ts";
import { scheduleOf, type TrainingLength, type TrainingOptions } from "./training-options.ts";

/** How the parameters of a model are trained. */
export interface ModelTraining {
  readonly parameters: readonly Parameter[];
  readonly optimizer: AdamWSettings;
  readonly length: TrainingLength;
  /** Enqueues a micro-batch, products in `precision`; by default on next-token cross-entropy. */
  readonly loss?: (batch: TokenBatch, precision: TapePrecision) => MicroBatch;
}

/**
 * Trains parameters that a model depends on, end to end, as the options say.
 * @throws NumericError when training diverges; CancelledError when the problem's signal is aborted
 */
export async function trainParameters(
  problem: ModelProblem<TrainingOptions>,
  training: ModelTraining,
): Promise<TrainingOutcome> {
  const { model, options, windows, targets, seed, signal, store, onStep } = problem;
  const { parameters, optimizer, length, loss } = training;
  const { batch: size, accumulation, clip, recompute, checkpointEvery } = options;
  const drawn = { size, order: length.order, seed };
  const batches = new TokenBatches(listOfWindows(windows), drawn);
  const predicted = targets && new TokenBatches(listOfWindows(targets), drawn);
  const precision = choosePrecision(options.precision, model.model.backend);
  return runTraining({
    parameters,
    optimizer,
    steps: length.steps,
    accumulation,
    clip: clip === 0 ? null : clip,
    schedule: scheduleOf(options),
    loss: (step, micro) => {
      const number = step * accumulation + micro;
      const batch = {
        ids: batches.at(number),
        length: batches.length,
        ...(predicted && { targets: predicted.at(number) }),
      };
      if (loss) return loss(batch, precision);
      return nextTokenLoss(parameters, precision, batch, (tokens) =>
        model.forward(tokens, { recompute }),
      );
    },
    store,
    checkpointEvery,
    onStep,
    signal,
  });
}
