import type { TrainableModel } from "../../nn/trainable-model.ts";
import { embedding } from "../../tensor/ops.ts";
import { Tape, type TapePrecision } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { klDivergenceGradient } from "../../tensor/training-ops.ts";
import type { TokenBatch } from "../../training/next-token-loss.ts";
import type { Parameter } from "../../training/parameter.ts";
import { nextTokenTargets } from "../../training/token-batches.ts";
import type { LossTerm, MicroBatch } from "../../training/training-loop.ts";

/** Who learns the predictions of whom. */
export interface Imitation {
  readonly student: TrainableModel;
  readonly teacher: TrainableModel;
  /** What the student's gradients are wanted by. */
  readonly parameters: readonly Parameter[];
  readonly recompute: boolean;
  /** Logits that each model has in memory at once. Default 2²⁵. */
  readonly logitsAtOnce?: number;
}

/**
 * Enqueues forward and backward pass of `KL(teacher ‖ student)`, a mean over the tokens that are
 * predicted: those with a target; without parameters it is measured, and there are no gradients.
 * Logits are made of some rows at a time, of the others never, so
 * that neither model's are in memory as a whole.
 */
export function divergenceLoss(
  { student, teacher, parameters, recompute, logitsAtOnce = 2 ** 25 }: Imitation,
  { ids: values, length, targets = nextTokenTargets(values, length) }: TokenBatch,
  precision: TapePrecision,
): MicroBatch {
  const { backend } = student.model;
  const ids = Tensor.from(backend, "i32", [values.length / length, length], values);
  const rows = Int32Array.from(targets.keys()).filter((row) => targets[row] >= 0);
  const scale = 1 / Math.max(1, rows.length);
  const most = Math.max(1, Math.floor(logitsAtOnce / student.vocabularySize));
  const [ofTeacher, ofStudent] = [new Tape({ precision }), new Tape({ precision })];
  try {
    ofStudent.watch(...parameters.map(({ value }) => value));
    const wanted = ofTeacher.run(() => teacher.hiddenStates(ids));
    const given = ofStudent.run(() => student.hiddenStates(ids, { recompute }));
    const loss: LossTerm[] = [];
    for (let from = 0; from < rows.length; from += most) {
      const some = rows.slice(from, from + most);
      const at = Tensor.from(backend, "i32", [some.length], some);
      const head = new Tape({ precision });
      const expected = head.run(() => teacher.model.logits(embedding(wanted, at)));
      const hidden = ofStudent.run(() => embedding(given, at));
      const divergences = followLogits(ofStudent, student, hidden, expected, scale);
      loss.push({ name: "kl", values: divergences, scale });
      head.release();
      at.release();
    }
    ofStudent.backward([]);
    return { loss, gradients: parameters.map(({ value }) => ofStudent.takeGradient(value)) };
  } finally {
    ofTeacher.release();
    ofStudent.release();
    ids.release();
  }
}

/** Divergences of rows, whose gradients go back through the head to `hidden` and no further. */
function followLogits(
  tape: Tape,
  { model }: TrainableModel,
  hidden: Tensor<"f32">,
  expected: Tensor<"f32">,
  scale: number,
): Tensor<"f32"> {
  const head = new Tape({ precision: tape.precision }, tape);
  try {
    const logits = head.run(() => model.logits(hidden));
    const { divergences, gradient } = klDivergenceGradient(expected, logits, scale);
    if (tape.tracks(hidden)) head.backward([[logits, gradient]]);
    return divergences;
  } finally {
    head.release();
  }
}
