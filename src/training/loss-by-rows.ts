import type { TrainableModel } from "../nn/trainable-model.ts";
import { embedding } from "../tensor/ops.ts";
import { Tape } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { PassMemory } from "./loss-in-parts.ts";

/** Logits of a model that are in memory at once, unless said otherwise. */
export const usualLogitsAtOnce = 2 ** 25;

/** What makes logits of hidden states. */
export type Predictor = Pick<TrainableModel, "model" | "vocabularySize">;

/** Losses of rows of logits, `[rows]`, and their gradient, which is written over the logits. */
export interface RowLosses {
  readonly values: Tensor;
  readonly gradient: Tensor<"f32">;
}

/** Some rows of a pass. */
export interface Rows {
  readonly indices: Int32Array;
  /** The same, for ops. */
  readonly at: Tensor<"i32">;
}

/** Which rows of hidden states count, and how many logits are in memory at once. */
export interface CountedRows {
  readonly rows: Int32Array;
  readonly logitsAtOnce?: PassMemory["logitsAtOnce"];
}

/**
 * Enqueues losses of the logits that a model makes of rows of `hidden [T, hiddenSize]`, some rows at
 * a time: logits are never in memory as a whole, and never made of other rows. Gradients are added
 * up on `tape`; the backward pass from `hidden` on is the caller's.
 */
export function lossByRows(
  tape: Tape,
  { model, vocabularySize }: Predictor,
  hidden: Tensor<"f32">,
  { rows, logitsAtOnce = usualLogitsAtOnce }: CountedRows,
  lossOf: (logits: Tensor<"f32">, rows: Rows) => RowLosses,
): Tensor[] {
  const most = Math.max(1, Math.floor(logitsAtOnce / vocabularySize));
  const losses: Tensor[] = [];
  for (let from = 0; from < rows.length; from += most) {
    const indices = rows.slice(from, from + most);
    const at = Tensor.from(model.backend, "i32", [indices.length], indices);
    const some = tape.run(() => embedding(hidden, at));
    const head = new Tape({ precision: tape.precision }, tape);
    try {
      const logits = head.run(() => model.logits(some));
      const { values, gradient } = lossOf(logits, { indices, at });
      if (head.tracks(logits)) head.backward([[logits, gradient]]);
      losses.push(values);
    } finally {
      head.release();
      at.release();
    }
  }
  return losses;
}
