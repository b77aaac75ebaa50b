import { z } from "zod";
import { isBinary } from "../../quant/activation-grid.ts";
import type { ScaleGroup } from "../../nn/quantizable-model.ts";
import { scaleChannels } from "../../nn/scale-channels.ts";
import { hasFixedActivations, hasIndependentGroups, type Scheme } from "../../quant/scheme.ts";
import { type BlockProblem, defineMethod, type TransformedPart } from "../define-method.ts";
import { choice, shareIfGiven } from "../shared/option-kinds.ts";
import { smoothGroup } from "../shared/smoothing-factors.ts";

const usualAlpha = 0.5;

const options = z.object({
  alpha: shareIfGiven(
    "how much of the difficulty moves from activations to weights, 0 to 1 (unless given: 0.5 for " +
      "weights of 8 bits or fixed ranges of activations, else nothing is scaled)",
  ),
  producers: choice(
    ["all", "norms"],
    "all",
    "scale behind norms and linear layers, or only behind norms",
  ),
});

type Options = z.output<typeof options>;

/**
 * SmoothQuant (arXiv 2211.10438, equation 4): each input channel j of a group of linears is divided
 * by `s_j = max|X_j|^α / max|W_j|^(1−α)` in the layer before, and the weights are multiplied by it,
 * so that inputs with large channels fit an 8-bit grid. The model computes what it did.
 *
 * Deviations from the authors' code: linear layers count as producers too (`producers: "norms"`
 * leaves them out); with grouped queries a value channel takes the largest of the columns that it
 * feeds.
 */
export default defineMethod({
  id: "smoothquant",
  title: "SmoothQuant",
  summary: "moves large activation channels into the weights",
  role: "transform",
  paper: { arxiv: "2211.10438" },
  needs: { statistics: ["magnitudes"] },
  // Signs stay when channels are scaled: what the layer computes would not.
  supports: (scheme) => !isBinary(scheme.activation) && hasIndependentGroups(scheme),
  caution: (scheme) =>
    pays(scheme)
      ? null
      : "SmoothQuant is made for 8-bit weights and rounded activations; at " +
        `${scheme.id} it scales nothing unless alpha is given, for weights become harder to round`,
  options,
  transformBlock,
});

async function transformBlock(problem: BlockProblem<Options>): Promise<TransformedPart[]> {
  const { block, options: chosen } = problem;
  const parts: TransformedPart[] = [];
  for (const group of problem.groups) {
    if (chosen.producers === "norms" && group.producerKind !== "norm") continue;
    const alpha = chosen.alpha ?? (paysFor(problem, group) ? usualAlpha : null);
    if (alpha === null) continue;
    problem.report(`scales of ${group.producer}`);
    const factors = await smoothGroup(problem, group, alpha);
    if (!factors) continue;
    await scaleChannels(block, group, factors);
    const figures = { smallest: Math.min(...factors), largest: Math.max(...factors) };
    parts.push({ name: group.producer, figures });
  }
  return parts;
}

/**
 * Whether easier activations are worth harder weights: where their ranges are fixed, and where
 * weights have bits enough. With a scale a token and fewer bits they are not (docs/chains.md).
 */
function pays(scheme: Scheme): boolean {
  const { activation, grid } = scheme;
  return hasFixedActivations(scheme) || (activation !== null && grid.bits >= activation.bits);
}

function paysFor({ schemeOf }: BlockProblem<Options>, { consumers }: ScaleGroup): boolean {
  return consumers.some((name) => {
    const scheme = schemeOf(name);
    return scheme !== null && pays(scheme);
  });
}
