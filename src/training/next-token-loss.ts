import type { ModelPass, TrainableModel } from "../nn/trainable-model.ts";
import { Tensor } from "../tensor/tensor.ts";
import { crossEntropyGradient } from "../tensor/training-ops.ts";
import { lossByRows } from "./loss-by-rows.ts";
import { lossInParts, type LossPass, type PassMemory } from "./loss-in-parts.ts";
import type { TokenBatch } from "./token-batches.ts";
import type { MicroBatch } from "./training-loop.ts";

/** What learns to predict. */
export interface Prediction extends PassMemory, Pick<ModelPass, "stream"> {
  readonly model: TrainableModel;
}

/** Enqueues forward and backward of the mean cross-entropy over tokens that are predicted. */
export function nextTokenLoss(
  { model, ...memory }: Prediction,
  batch: TokenBatch,
  pass: LossPass,
): MicroBatch {
  const { backend } = model.model;
  return lossInParts(batch, model.model, memory, pass, (tape, part) => {
    const { ids, rows, targets, predicted } = part;
    const scale = 1 / predicted;
    const hidden = tape.run(() => model.hiddenStates(ids, memory));
    const counted = { rows, logitsAtOnce: memory.logitsAtOnce };
    const losses = lossByRows(tape, model, hidden, counted, (logits, { indices }) => {
      const next = indices.map((row) => targets[row]);
      const wanted = Tensor.from(backend, "i32", [next.length], next);
      const { losses: values, gradient } = crossEntropyGradient(logits, wanted, scale);
      wanted.release();
      return { values, gradient };
    });
    tape.backward([]);
    return losses.map((values) => ({ values, scale }));
  });
}
