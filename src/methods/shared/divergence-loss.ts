import type { TrainableModel } from "../../nn/trainable-model.ts";
import { embedding } from "../../tensor/ops.ts";
import { Tape } from "../../tensor/tape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { klDivergenceGradient } from "../../tensor/training-ops.ts";
import { type CountedRows, lossByRows, type Predictor } from "../../training/loss-by-rows.ts";
import { lossInParts, type LossPass, type PassMemory } from "../../training/loss-in-parts.ts";
import type { TokenBatch } from "../../training/token-batches.ts";
import type { MicroBatch } from "../../training/training-loop.ts";

/** Who learns the predictions of whom. */
export interface Imitation extends PassMemory {
  readonly student: TrainableModel;
  readonly teacher: TrainableModel;
}

/**
 * Enqueues forward and backward pass of `KL(teacher ‖ student)`, a mean over the tokens that are
 * predicted: those with a target.
 */
export function divergenceLoss(
  { student, teacher, ...memory }: Imitation,
  batch: TokenBatch,
  pass: LossPass,
): MicroBatch {
  const { precision } = pass;
  return lossInParts(batch, student.model, memory, pass, (tape, { ids, rows, predicted }) => {
    const scale = 1 / predicted;
    const ofTeacher = new Tape({ precision });
    try {
      const wanted = ofTeacher.run(() => teacher.hiddenStates(ids));
      const given = tape.run(() => student.hiddenStates(ids, memory));
      const divergences = divergencesByRows(
        { teacher, hidden: wanted },
        { tape, student, hidden: given },
        { rows, logitsAtOnce: memory.logitsAtOnce },
        scale,
      );
      tape.backward([]);
      return divergences.map((values) => ({ name: "kl", values, scale }));
    } finally {
      ofTeacher.release();
    }
  });
}

/** Hidden states `[T, hiddenSize]` of the one who is learned from. */
interface Shown {
  readonly teacher: Predictor;
  readonly hidden: Tensor<"f32">;
}

/** Hidden states `[T, hiddenSize]` of the one who learns, on its tape. */
interface Learning {
  readonly tape: Tape;
  readonly student: Predictor;
  readonly hidden: Tensor<"f32">;
}

/**
 * Enqueues the divergences `[rows]` of the student's predictions from the teacher's, a part of the
 * rows at a time, and the gradients of `scale` times their sum up to the student's hidden states.
 */
export function divergencesByRows(
  { teacher, hidden: wanted }: Shown,
  { tape, student, hidden }: Learning,
  counted: CountedRows,
  scale: number,
): Tensor[] {
  return lossByRows(tape, student, hidden, counted, (logits, { at }) => {
    const head = new Tape({ precision: tape.precision });
    const expected = head.run(() => teacher.model.logits(embedding(wanted, at)));
    const { divergences, gradient } = klDivergenceGradient(expected, logits, scale);
    head.release();
    return { values: divergences, gradient };
  });
}
