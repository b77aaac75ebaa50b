import type { z } from "zod";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import { type Seed, Tape, type TapePrecision } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { directionErrorGradient, klDivergenceGradient } from "../../tensor/training-ops.ts";
import type { TokenBatch } from "../../training/next-token-loss.ts";
import type { Parameter } from "../../training/parameter.ts";
import type { MicroBatch } from "../../training/training-loop.ts";
import { UsageError } from "../../util/errors.ts";
import { nonNegative } from "./option-kinds.ts";

/** What of the teacher counts, and how much. */
export const distillationOptions = {
  kdWeight: nonNegative(5, "weight of the mean KL divergence from the teacher, in nats a token"),
  hiddenWeight: nonNegative(1, "weight of the distances between directions of hidden states"),
};

/** Options as `distillationOptions` reads them. */
export type DistillationOptions = z.output<z.ZodObject<typeof distillationOptions>>;

/** Who learns from whom, and how. */
export interface Distillation extends DistillationOptions {
  readonly student: TrainableModel;
  readonly teacher: TrainableModel;
  /** What the student's gradients are wanted by. */
  readonly parameters: readonly Parameter[];
  readonly recompute: boolean;
}

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
  { student, teacher, parameters, recompute, kdWeight, hiddenWeight }: Distillation,
  { ids: values, length }: TokenBatch,
  precision: TapePrecision,
): MicroBatch {
  const { backend } = student.model;
  const ids = Tensor.from(backend, "i32", [values.length / length, length], values);
  const [ofTeacher, ofStudent] = [new Tape({ precision }), new Tape({ precision })];
  try {
    ofStudent.watch(...parameters.map(({ value }) => value));
    const [expected, ...expectedStates] = outputsOf(ofTeacher, teacher, ids);
    const [logits, ...states] = outputsOf(ofStudent, student, ids, recompute);
    const kdScale = kdWeight / values.length;
    const kl = klDivergenceGradient(expected, logits, kdScale);
    const hiddenScale = hiddenWeight / values.length;
    const directions = states
      .slice(0, -1)
      .map((state, l) => directionErrorGradient(expectedStates[l], state, hiddenScale));
    ofStudent.backward([
      [logits, kl.gradient],
      ...directions.map(({ gradient }, l): Seed => [states[l], gradient]),
    ]);
    return {
      loss: [
        { name: "kl", values: kl.divergences, scale: kdScale },
        ...directions.map(({ errors }) => ({ name: "hidden", values: errors, scale: hiddenScale })),
      ],
      gradients: parameters.map(({ value }) => ofStudent.takeGradient(value)),
    };
  } finally {
    ofTeacher.release();
    ofStudent.release();
    ids.release();
  }
}

/** Logits, and the residual stream before each block and after the last; on the tape. */
function outputsOf(
  tape: Tape,
  model: TrainableModel,
  ids: Tensor<"i32">,
  recompute = false,
): Tensor<"f32">[] {
  return tape.run(() => {
    const states: Tensor<"f32">[] = [];
    const observe = (state: Tensor<"f32">): void => void states.push(state);
    const logits = model.forward(ids, { observe, recompute });
    return [logits, ...states];
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
