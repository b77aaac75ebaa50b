import { methods } from "../methods/index.ts";
import type { Scheme } from "../quant/scheme.ts";
import { type ChosenMethod, type Recipe, startOf, transformsOf } from "../recipe/recipe.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { sum } from "../util/sums.ts";

/**
 * Says where text or steps are too few for the methods of a recipe: a sentence each, with what it
 * would take.
 */
export function budgetCautions(
  recipe: Recipe,
  linears: readonly PlannedLinear[],
  hiddenSize: number,
): string[] {
  const { calibration, method, options } = recipe;
  if (!calibration) return [];
  const start = startOf(recipe);
  const budget = {
    data: { windows: calibration.samples, window: calibration.window },
    schemes: distinctSchemes(linears),
    start: start?.method.id ?? null,
    shape: {
      hiddenSize,
      widest: Math.max(...linears.map(({ inFeatures }) => inFeatures)),
      weights: sum(linears.map(({ inFeatures, outFeatures }) => inFeatures * outFeatures)),
    },
  };
  const chain: ChosenMethod[] = [
    ...transformsOf(recipe),
    ...(start ? [start] : []),
    { method: methods[method], options },
  ];
  return chain.flatMap((each) => each.method.budget?.(each.options, budget) ?? []);
}

function distinctSchemes(linears: readonly PlannedLinear[]): Scheme[] {
  const schemes = linears.flatMap(({ scheme }) => scheme ?? []);
  return [...new Map(schemes.map((scheme) => [scheme.id, scheme])).values()];
}
