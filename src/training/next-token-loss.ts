import type { Backend } from "../backend/backend.ts";
import { Tape, type TapePrecision } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { crossEntropyGradient } from "../tensor/training-ops.ts";
import type { Parameter } from "./parameter.ts";
import { nextTokenTargets } from "./token-batches.ts";
import type { LossTerm, MicroBatch } from "./training-loop.ts";

/** A loss of something's output, and where its backward pass starts. */
interface SeededLoss {
  readonly loss: readonly LossTerm[];
  /** Gradient of the loss by the output, of its shape. */
  readonly gradient: Tensor<"f32">;
}

/**
 * Enqueues a forward pass, the loss of its output and the backward pass.
 * @param precision `bf16` multiplies matrices in bfloat16; parameters and gradients stay float32
 */
function differentiate(
  parameters: readonly Parameter[],
  precision: TapePrecision,
  forward: () => Tensor<"f32">,
  lossOf: (out: Tensor<"f32">) => SeededLoss,
): MicroBatch {
  const tape = new Tape({ precision });
  try {
    tape.watch(...parameters.map(({ value }) => value));
    const out = tape.run(forward);
    const { loss, gradient } = lossOf(out);
    tape.backward([[out, gradient]]);
    return { loss, gradients: parameters.map(({ value }) => tape.takeGradient(value)) };
  } finally {
    tape.release();
  }
}

/** Maps ids `[batch, length]` to logits `[batch · length, vocabulary]`. */
export type LogitsOf = (ids: Tensor<"i32">) => Tensor<"f32">;

/** Windows of token ids, one after the other. */
export interface TokenBatch {
  readonly ids: Int32Array;
  /** Tokens a window. */
  readonly length: number;
  /** What each token is to predict, −1 for nothing; by default the next token of its window. */
  readonly targets?: Int32Array;
}

/**
 * Enqueues forward and backward of the mean cross-entropy over tokens that are predicted; without
 * parameters the loss is measured, and there are no gradients.
 */
export function nextTokenLoss(
  backend: Backend,
  parameters: readonly Parameter[],
  precision: TapePrecision,
  { ids, length, targets: given = nextTokenTargets(ids, length) }: TokenBatch,
  logitsOf: LogitsOf,
): MicroBatch {
  const windows = ids.length / length;
  const input = Tensor.from(backend, "i32", [windows, length], ids);
  const targets = Tensor.from(backend, "i32", [ids.length], given);
  const predictions = given.reduce((sum, target) => sum + (target < 0 ? 0 : 1), 0);
  const scale = 1 / Math.max(1, predictions);
  return differentiate(
    parameters,
    precision,
    () => logitsOf(input),
    (logits) => {
      const { losses, gradient } = crossEntropyGradient(logits, targets, scale);
      return { loss: [{ values: losses, scale }], gradient };
    },
  );
}
