import { choice, countIfGiven } from "./option-kinds.ts";

/** What the errors of a token are measured by. */
const lossKinds = ["relative", "squared"] as const;

/** Those, and what the divergence of the model's predictions says of each output. */
export const weighedLossKinds = [...lossKinds, "fisher"] as const;

/** Options that methods which train a block have in common. */
export const blockTrainingOptions = {
  loss: choice(
    lossKinds,
    "relative",
    "what errors of a token are measured by: its output in the original, or plainly",
  ),
  validation: countIfGiven(
    "windows held out of the training, to measure it by (unless given: a 16th of them, 8 at most)",
  ),
  precision: choice(
    ["auto", "f32", "bf16"],
    "auto",
    "what products multiply in; auto: bfloat16 where the processor is faster with it",
  ),
};

/** The option of methods that work from statistics of inputs, whose tokens may be weighed. */
export const tokenLossOption = choice(
  lossKinds,
  "relative",
  "what errors of a token are measured by: the size of its state behind the block, or plainly",
);
