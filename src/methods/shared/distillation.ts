import { z } from "zod";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import { type Tensor, tidy } from "../../tensor/tensor.ts";
import { directionErrorGradient, klDivergenceGradient } from "../../tensor/training-ops.ts";
import { UsageError } from "../../util/errors.ts";
import type { ModelLoss, ModelOutputs } from "./train-model.ts";

/** What of the teacher counts, and how much. */
export const distillationOptions = {
  kdWeight: z
    .number()
    .min(0)
    .default(1)
    .describe("weight of the mean KL divergence from the teacher, in nats a token"),
  hiddenWeight: z
    .number()
    .min(0)
    .default(1)
    .describe("weight of the distances between directions of hidden states"),
};

/** Options as `distillationOptions` reads them. */
export type DistillationOptions = z.output<z.ZodObject<typeof distillationOptions>>;

/**
 * How far predictions and hidden states are from the teacher's, with gradients by the student's outputs:
 *
 *     L = kdWeight · KL(teacher ‖ student) + hiddenWeight · Σ_l ‖h_t/‖h_t‖ − h_s/‖h_s‖‖²
 *
 * both averaged over tokens; l over the output of the embedding and of all blocks but the last. The teacher runs on the same
 * ids, at once. Source: OneBit, arXiv 2402.11295, equations 8 to 10.
 */
export function distillationLoss(
  teacher: TrainableModel,
  { ids, logits, hidden }: ModelOutputs,
  { kdWeight, hiddenWeight }: DistillationOptions,
): ModelLoss {
  const [expected, ...expectedStates] = outputsOf(teacher, ids);
  const kdScale = kdWeight / ids.size;
  const { divergences, gradient } = klDivergenceGradient(expected, logits, kdScale);
  const hiddenScale = hiddenWeight / ids.size;
  const directions = hidden.slice(0, -1).map((state, l) => {
    const made = directionErrorGradient(expectedStates[l], state, hiddenScale);
    return { state, ...made };
  });
  for (const tensor of [expected, ...expectedStates]) tensor.release();
  return {
    terms: [
      { name: "kl", values: divergences, scale: kdScale },
      ...directions.map(({ errors }) => ({ name: "hidden", values: errors, scale: hiddenScale })),
    ],
    seeds: [
      [logits, gradient],
      ...directions.map(({ state, gradient: byState }) => [state, byState] as const),
    ],
  };
}

/** Logits of a model, then its residual stream in front of each block and behind the last. */
function outputsOf(model: TrainableModel, ids: Tensor<"i32">): Tensor<"f32">[] {
  return tidy(() => {
    const states: Tensor<"f32">[] = [];
    const logits = model.forward(ids, { observe: (state) => void states.push(state) });
    return [logits, ...states];
  });
}

/**
 * Checks that predictions and hidden states of a teacher can be compared with the student's.
 * @throws UsageError when there is no teacher, or it has another vocabulary, width or number of blocks
 */
export function expectTeacher(
  teacher: TrainableModel | null,
  student: TrainableModel,
): asserts teacher is TrainableModel {
  if (!teacher) throw new UsageError("distillation needs a teacher, and none was given");
  const figures = [
    ["a vocabulary", teacher.vocabularySize, student.vocabularySize],
    ["hidden states", teacher.model.hiddenSize, student.model.hiddenSize],
    ["blocks", teacher.blocks.length, student.blocks.length],
  ] as const;
  for (const [what, theirs, ours] of figures) {
    if (theirs === ours) continue;
    throw new UsageError(
      `the teacher cannot be compared with the model: ${what} of ${theirs} and ${ours}`,
      { hint: "learn from the original model" },
    );
  }
}
