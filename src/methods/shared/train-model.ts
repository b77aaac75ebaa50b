import type { TrainableModel } from "../../nn/trainable-model.ts";
import { type Seed, Tape, type TapePrecision } from "../../tensor/tape.ts";
import { crossEntropyGradient } from "../../tensor/training-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { AdamWSettings } from "../../training/adamw.ts";
import type { Parameter } from "../../training/parameter.ts";
import { listOfWindows, nextTokenTargets, TokenBatches } from "../../training/token-batches.ts";
import { type LossTerm, type MicroBatch, train } from "../../training/train.ts";
import type { TrainingProgress } from "../../training/training-store.ts";
import type { ModelProblem } from "../define-method.ts";
import { scheduleOf, type TrainingLength, type TrainingOptions } from "./training-options.ts";

/** A micro-batch, and what the model makes of it. */
export interface ModelOutputs {
  /** `[batch, length]`. */
  readonly ids: Tensor<"i32">;
  /** The token that follows each, `[batch · length]`; −1 at the end of a window. */
  readonly targets: Tensor<"i32">;
  /** Predictions that count: those whose target is not −1. */
  readonly predictions: number;
  /** `[batch · length, vocabulary]`. A loss may overwrite it. */
  readonly logits: Tensor<"f32">;
  /** Residual stream in front of each block and behind the last, `[batch, length, hiddenSize]`. */
  readonly hidden: readonly Tensor<"f32">[];
}

/** A loss of a micro-batch, and its gradients by outputs of the model. */
export interface ModelLoss {
  readonly terms: readonly LossTerm[];
  readonly seeds: readonly Seed[];
}

/** How the parameters of a model are trained. */
export interface ModelTraining {
  readonly parameters: readonly Parameter[];
  readonly optimizer: AdamWSettings;
  readonly length: TrainingLength;
  /** By default the cross-entropy of the next token, averaged over the predictions. */
  readonly loss?: (outputs: ModelOutputs) => ModelLoss;
}

/**
 * Trains parameters that a model depends on, end to end, as the options say.
 * @throws NumericError when training diverges; CancelledError when the problem's signal is aborted
 */
export async function trainParameters(
  problem: ModelProblem<TrainingOptions>,
  training: ModelTraining,
): Promise<TrainingProgress> {
  const { model, options, windows, seed, signal, store, onStep } = problem;
  const { steps, order } = training.length;
  const batches = new TokenBatches(listOfWindows(windows), { size: options.batch, order, seed });
  const precision = choosePrecision(options);
  return train({
    parameters: training.parameters,
    optimizer: training.optimizer,
    steps,
    accumulation: options.accumulation,
    clip: options.clip === 0 ? null : options.clip,
    schedule: scheduleOf(options),
    loss: (step, micro) => {
      const ids = batches.at(step * options.accumulation + micro);
      const pass = { precision, recompute: options.recompute };
      return lossOfBatch(model, ids, batches.length, training, pass);
    },
    store,
    checkpointEvery: options.checkpointEvery,
    onStep,
    ...(signal && { signal }),
  });
}

/** Forward and backward pass over ids `[batch · length]`, enqueued. */
function lossOfBatch(
  model: TrainableModel,
  values: Int32Array,
  length: number,
  { parameters, loss = nextTokenLoss }: ModelTraining,
  pass: { precision: TapePrecision; recompute: boolean },
): MicroBatch {
  const { backend } = parameters[0].value;
  const targetValues = nextTokenTargets(values, length);
  const ids = Tensor.from(backend, "i32", [values.length / length, length], values);
  const targets = Tensor.from(backend, "i32", [values.length], targetValues);
  const tape = new Tape({ precision: pass.precision });
  try {
    tape.watch(...parameters.map(({ value }) => value));
    const hidden: Tensor<"f32">[] = [];
    const [logits] = tape.run(() => {
      const observe = (stream: Tensor<"f32">): void => void hidden.push(stream);
      const out = model.forward(ids, { recompute: pass.recompute, observe });
      return [out, ...hidden];
    });
    const predictions = targetValues.reduce((sum, target) => sum + (target < 0 ? 0 : 1), 0);
    const { terms, seeds } = loss({ ids, targets, predictions, logits, hidden });
    tape.backward(seeds);
    const gradients = parameters.map(({ value }) => tape.takeGradient(value));
    return { loss: terms, gradients };
  } finally {
    tape.release();
    ids.release();
    targets.release();
  }
}

/** Mean cross-entropy of the next token. */
export function nextTokenLoss({ logits, targets, predictions }: ModelOutputs): ModelLoss {
  const scale = 1 / predictions;
  const { losses, gradient } = crossEntropyGradient(logits, targets, scale);
  return { terms: [{ values: losses, scale }], seeds: [[logits, gradient]] };
}

function choosePrecision({ precision }: TrainingOptions): TapePrecision {
  return precision === "bf16" ? "bf16" : "f32";
}
