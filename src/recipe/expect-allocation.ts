import { findSearch } from "../methods/allocation-searches.ts";
import type { Method } from "../methods/define-method.ts";
import { type MethodId, methods } from "../methods/index.ts";
import { findMixture } from "../quant/mixtures.ts";
import { parseScheme } from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";
import { parseWith } from "./recipe-checks.ts";
import type { Allocation, ParsedRecipe, RecipeInput } from "./recipe.ts";

// Groups of 32 beside those of 64: of few layers, coarser steps leave more than 0.5 % of a size.
const usualChoices = ["w2g64", "w2g32", "w3g64", "w3g32", "w4g64", "w4g32", "w8g64"];
const usualTypes = ["q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q8_0"];

/**
 * Spells the choices of an allocation out, and puts the first in the place of the scheme, which such
 * a recipe does not name.
 * @throws UsageError when it names one
 */
export function withFirstChoice(input: RecipeInput): RecipeInput {
  const { allocation, scheme } = input;
  if (!allocation || typeof allocation !== "object") return input;
  if (scheme !== undefined) {
    throw new UsageError("a scheme for all layers and bits chosen for each exclude each other", {
      hint: "leave out `scheme`, or the targets",
      field: "scheme",
      value: scheme,
    });
  }
  const given = Array.isArray(allocation.choices) ? allocation.choices : [];
  const named = given.flatMap((ids) => (typeof ids === "string" ? ids.split(",") : [ids]));
  const choices = named.length > 0 ? named : choicesFor(input);
  return { ...input, allocation: { ...allocation, choices }, scheme: String(choices[0]) };
}

function choicesFor({ out, method }: RecipeInput): string[] {
  const usual = String(out).endsWith(".gguf") ? usualTypes : usualChoices;
  const chosen = Object.hasOwn(methods, method) ? methods[method as MethodId] : null;
  const supported = usual.filter((id) => (chosen as Method | null)?.supports(parseScheme(id)));
  return supported.length > 0 ? supported : usual;
}

/** @throws UsageError for an allocation without a target, with one choice, or of what has no layers */
export function expectAllocation(allocation: Allocation, recipe: ParsedRecipe): void {
  const { choices, search, searchOptions, measure, pairs } = allocation;
  const { targetSize, targetBpw, targetSpeed, targetEnergy } = allocation;
  const fault = (message: string, hint: string, field: string, value?: unknown): UsageError =>
    new UsageError(message, { hint, field: `allocation.${field}`, value });
  if ((targetSize ?? targetBpw ?? targetSpeed ?? targetEnergy) === undefined) {
    throw fault(
      "bits are chosen for each layer within a size, speed or energy, and none was given",
      "give `targetSize`, `targetBpw`, `targetSpeed` or `targetEnergy`",
      "targetSize",
    );
  }
  if (new Set(choices).size < 2) {
    throw fault(
      "expected at least two different schemes to choose from",
      "name more `choices`",
      "choices",
      choices,
    );
  }
  const mixture = choices.findIndex((id) => findMixture(id) && !isSchemeId(id));
  if (mixture >= 0) {
    throw fault(
      `${choices[mixture]} is a mixture of types, not a type`,
      "name types, such as q2_k,q3_k,q4_k",
      `choices[${mixture}]`,
      choices[mixture],
    );
  }
  if (pairs && measure !== "divergence") {
    throw fault(
      "pairs of layers are measured by their divergence",
      "add `measure: divergence`",
      "pairs",
      pairs,
    );
  }
  if (recipe.generic) {
    throw fault(
      "a model that fewbit cannot run cannot tell what harms it",
      "leave out `generic`",
      "targetSize",
    );
  }
  readSearchOptions(search, searchOptions);
}

function isSchemeId(id: string): boolean {
  try {
    parseScheme(id);
    return true;
  } catch {
    return false;
  }
}

/** Reads the options of a search. @throws UsageError for one that it does not have */
export function readSearchOptions(
  id: Allocation["search"],
  given: Allocation["searchOptions"],
): Record<string, unknown> {
  const search = findSearch(id);
  const named = Object.fromEntries(given.map(({ name, value }) => [name, value]));
  if (search) {
    const what = `options of the search ${id}`;
    return parseWith(search.options.strict(), named, what, ["allocation", "searchOptions"]);
  }
  const [name] = Object.keys(named);
  if (name === undefined) return {};
  throw new UsageError(`the knapsack has no option ${name}`, {
    hint: "name a search that has options: `search: evolution`",
    field: "allocation.searchOptions",
    value: name,
  });
}
