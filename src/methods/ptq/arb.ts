import { z } from "zod";
import { defineMethod, type LinearProblem, type QuantizedLinear } from "../define-method.ts";
import { tokenLossOption } from "../shared/block-training-options.ts";
import { choice, count } from "../shared/option-kinds.ts";
import {
  errorOf,
  fitColumns,
  fitRows,
  turnSigns,
  weighBy,
  type WeighedWeight,
} from "../shared/refine-signs.ts";
import { storesSignValues } from "../shared/sign-values.ts";
import {
  alternateScales,
  asStored,
  packSigns,
  type SignsAndScales,
} from "../shared/signs-and-scales.ts";

const options = z.object({
  refinement: choice(
    ["x", "rc"],
    "x",
    "what the scales and signs are fitted to: outputs on the text (ARB-X), or weights (ARB-RC)",
  ),
  iterations: count(15, "rounds of row scales, column scales and signs"),
  sweeps: count(4, "times that a round of x goes over the signs at most; 0: they stay", 0),
  loss: tokenLossOption,
});

type Options = z.output<typeof options>;

/** A round that gains less than this share of the error is the last. */
const leastGain = 1e-4;

/**
 * ARB (alternating refined binarization, arXiv 2410.03129) of the form `Ŵ = signs ⊙ (h·gᵀ)`: row
 * scales, column scales and signs in turn are the best for the others. `rc` takes the errors of the
 * weights, where the signs are those of W (section 3.4); `x` takes those of the outputs,
 * `tr((W − Ŵ)·XᵀX·(W − Ŵ)ᵀ)`, as ARB-X does with row scales and means (section 3.3).
 *
 * Deviations: the paper keeps signs under ARB-X and has row scales alone; here column scales are
 * the solution of their normal equations, and signs are turned one by one. No means, groups of
 * columns by bitmap or second binarization of salient ones, which this form does not store.
 */
export default defineMethod({
  id: "arb",
  title: "ARB",
  summary: "signs, scales of rows and of columns, refined in turn by outputs",
  role: "quantizer",
  paper: { arxiv: "2410.03129" },
  needs: { statistics: ["hessian"] },
  statistics: ({ refinement }) => (refinement === "x" ? ["hessian"] : []),
  compensates: true,
  supports: storesSignValues,
  options,
  weighsTokens: ({ loss, refinement }) => refinement === "x" && loss === "relative",
  quantizeLinear,
});

async function quantizeLinear(problem: LinearProblem<Options>): Promise<QuantizedLinear> {
  const { weight, scheme, hessian, tooFew, options: chosen } = problem;
  const plain = await alternateScales(weight, chosen.iterations);
  if (!hessian || tooFew !== undefined) {
    const packed = packSigns(plain, scheme);
    return tooFew === undefined
      ? { weight: packed }
      : { weight: packed, fallback: `${tooFew}: scales are fitted to the weights` };
  }
  const weighed = await weighBy(weight, hessian);
  const refined = await refine(weighed, plain, chosen);
  weighed.moments.release();
  return { weight: packSigns(refined, scheme) };
}

/** Rounds from what was found without data, which stays where none of them is better. */
async function refine(
  weighed: WeighedWeight,
  plain: SignsAndScales,
  { iterations, sweeps }: Options,
): Promise<SignsAndScales> {
  let best = plain;
  let least = await errorOf(weighed, plain);
  let found = plain;
  for (let round = 0; round < iterations; round++) {
    if (sweeps > 0) found = await turnSigns(weighed, found, sweeps);
    found = await fitRows(weighed, await fitColumns(weighed, await fitRows(weighed, found)));
    const stored = await asStored(found, (rounded) => fitRows(weighed, rounded));
    const error = await errorOf(weighed, stored);
    const gain = 1 - error / least;
    if (error < least) [best, least] = [stored, error];
    if (!(gain > leastGain)) break;
  }
  return best;
}
