import type { z } from "zod";
import type { ModelRotation } from "../../nn/model-rotation.ts";
import { Prng } from "../../util/prng.ts";
import type { RotationProblem } from "../define-method.ts";
import { choice, flag } from "./option-kinds.ts";
import { randomRotation } from "./random-rotation.ts";

/** Options of a rotation that is drawn. */
export const drawOptions = {
  matrix: choice(
    ["hadamard", "orthogonal"],
    "hadamard",
    "a Hadamard matrix with random signs, or any orthogonal matrix",
  ),
  values: flag(true, "rotate the values of each head too, between v_proj and o_proj"),
};

/** Options as `drawOptions` reads them. */
export type DrawOptions = z.output<z.ZodObject<typeof drawOptions>>;

/** Draws a rotation of the residual stream, and one of the values of each block. */
export function drawRotation(problem: RotationProblem<DrawOptions>): ModelRotation {
  const { hiddenSize, headDim, keepsOnes, seed, options } = problem;
  const { matrix: kind, values } = options;
  const ofBlock = (block: number): Prng => new Prng(seed + 1 + block);
  return {
    stream: randomRotation(hiddenSize, new Prng(seed), { kind, keepsOnes }),
    values: (block) =>
      values ? randomRotation(headDim, ofBlock(block), { kind, keepsOnes: false }) : null,
  };
}
