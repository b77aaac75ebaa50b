import type { TrainableModel } from "../nn/trainable-model.ts";
import { Tape, type TapePrecision } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Parameter } from "./parameter.ts";
import { nextTokenTargets, predictedRows, type TokenBatch } from "./token-batches.ts";
import type { LossTerm, MicroBatch } from "./training-loop.ts";

/** What of a batch is in memory at a time. None of it changes what comes out but by rounding. */
export interface PassMemory {
  /** Compute blocks again for their gradients. */
  readonly recompute: boolean;
  /** Windows whose activations are in memory; by default all of a batch. */
  readonly windowsAtOnce?: number | undefined;
  /** Logits of each model that are in memory; default 2²⁵. */
  readonly logitsAtOnce?: number | undefined;
}

/** What gradients are wanted by, and how products multiply. */
export interface LossPass {
  /** None: the loss is measured, and there are no gradients. */
  readonly parameters: readonly Parameter[];
  /** `bf16` multiplies matrices in bfloat16; parameters and gradients stay float32. */
  readonly precision: TapePrecision;
}

/** Some windows of a batch. */
export interface BatchPart {
  /** `[windows, length]`. */
  readonly ids: Tensor<"i32">;
  readonly targets: Int32Array;
  /** Rows with a target. */
  readonly rows: Int32Array;
  /** How many rows of the whole batch have one; at least 1, to divide by. */
  readonly predicted: number;
}

/**
 * Enqueues forward and backward passes of a batch, some windows at a time; gradients are added up
 * in place. `lossOf` enqueues the loss of a part, which is a sum over its rows times a factor that
 * belongs to the whole batch, and its backward pass.
 */
export function lossInParts(
  { ids, length, targets = nextTokenTargets(ids, length) }: TokenBatch,
  { backend }: TrainableModel["model"],
  { windowsAtOnce = ids.length / length }: PassMemory,
  { parameters, precision }: LossPass,
  lossOf: (tape: Tape, part: BatchPart) => LossTerm[],
): MicroBatch {
  const sums = new Tape({ precision, remakes: true });
  const loss: LossTerm[] = [];
  const predicted = Math.max(1, predictedRows(targets).length);
  try {
    sums.watch(...parameters.map(({ value }) => value));
    for (let from = 0; from < ids.length; from += windowsAtOnce * length) {
      const values = ids.slice(from, from + windowsAtOnce * length);
      const wanted = targets.subarray(from, from + values.length);
      const input = Tensor.from(backend, "i32", [values.length / length, length], values);
      const tape = new Tape({ precision }, sums);
      try {
        const part = { ids: input, targets: wanted, rows: predictedRows(wanted), predicted };
        loss.push(...lossOf(tape, part));
      } finally {
        tape.release();
        input.release();
      }
    }
    return { loss, gradients: parameters.map(({ value }) => sums.takeGradient(value)) };
  } finally {
    sums.release();
  }
}
