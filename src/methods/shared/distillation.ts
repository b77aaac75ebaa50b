import type { z } from "zod";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import { type Seed, Tape } from "../../tensor/tape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { directionErrorGradient } from "../../tensor/training-ops.ts";
import { lossInParts, type LossPass } from "../../training/loss-in-parts.ts";
import type { TokenBatch } from "../../training/token-batches.ts";
import type { MicroBatch } from "../../training/training-loop.ts";
import { UsageError } from "../../util/errors.ts";
import { divergencesByRows, type Imitation } from "./divergence-loss.ts";
import { nonNegative } from "./option-kinds.ts";

/** What of the teacher counts, and how much. */
export const distillationOptions = {
  kdWeight: nonNegative(5, "weight of the mean KL divergence from the teacher, in nats a token"),
  hiddenWeight: nonNegative(1, "weight of the distances between directions of hidden states"),
};

/** Options as `distillationOptions` reads them. */
export type DistillationOptions = z.output<z.ZodObject<typeof distillationOptions>>;

/** Who learns from whom, and how. */
export interface Distillation extends Imitation, DistillationOptions {}

/**
 * Enqueues forward and backward pass of how far predictions and hidden states are from the
 * teacher's,
 *
 *     L = kdWeight · KL(teacher ‖ student) + hiddenWeight · Σ_l ‖h_t/‖h_t‖ − h_s/‖h_s‖‖²
 *
 * both averaged over tokens; l over the output of the embedding and of all blocks but the last. The
 * teacher runs on the same ids, at once. Source: OneBit, arXiv 2402.11295, equations 8 to 10.
 */
export function distill(
  { student, teacher, kdWeight, hiddenWeight, ...memory }: Distillation,
  batch: TokenBatch,
  pass: LossPass,
): MicroBatch {
  const { precision } = pass;
  const kdScale = kdWeight / batch.ids.length;
  const hiddenScale = hiddenWeight / batch.ids.length;
  return lossInParts(batch, student.model, memory, pass, (tape, { ids }) => {
    const ofTeacher = new Tape({ precision });
    const expected = statesOf(ofTeacher, teacher, ids);
    const states = statesOf(tape, student, ids, memory.recompute);
    const last = states.length - 1;
    const divergences = divergencesByRows(
      { teacher, hidden: expected[last] },
      { tape, student, hidden: states[last] },
      {
        rows: Int32Array.from({ length: ids.size }, (_, row) => row),
        logitsAtOnce: memory.logitsAtOnce,
      },
      kdScale,
    );
    const directions = states
      .slice(0, last)
      .map((state, l) => directionErrorGradient(expected[l], state, hiddenScale));
    ofTeacher.release();
    tape.backward(directions.map(({ gradient }, l): Seed => [states[l], gradient]));
    return [
      ...divergences.map((values) => ({ name: "kl", values, scale: kdScale })),
      ...directions.map(({ errors }) => ({ name: "hidden", values: errors, scale: hiddenScale })),
    ];
  });
}

/** The residual stream `[T, hiddenSize]` before each block and after the last; on the tape. */
function statesOf(
  tape: Tape,
  model: TrainableModel,
  ids: Tensor<"i32">,
  recompute = false,
): Tensor<"f32">[] {
  return tape.run(() => {
    const states: Tensor<"f32">[] = [];
    const observe = (state: Tensor<"f32">): void => {
      states.push(state.reshape([ids.size, model.model.hiddenSize]));
    };
    model.hiddenStates(ids, { observe, recompute });
    return states;
  });
}

/**
 * Checks that predictions of a teacher can be compared with the student's, and its hidden states
 * unless only predictions count.
 * @throws UsageError when there is no teacher, or it has another vocabulary, width or number of
 * blocks
 */
export function expectTeacher(
  teacher: TrainableModel | null,
  student: TrainableModel,
  only: "predictions" | null = null,
): asserts teacher is TrainableModel {
  if (!teacher) throw new UsageError("distillation needs a teacher, and none was given");
  const figures = [
    ["a vocabulary", teacher.vocabularySize, student.vocabularySize],
    ["hidden states", teacher.model.hiddenSize, student.model.hiddenSize],
    ["blocks", teacher.blocks.length, student.blocks.length],
  ] as const;
  for (const [what, theirs, ours] of figures.slice(0, only ? 1 : undefined)) {
    if (theirs === ours) continue;
    throw new UsageError(
      `the teacher cannot be compared with the model: ${what} of ${theirs} and ${ours}`,
      { hint: "learn from the original model" },
    );
  }
}
