import { parseValue } from "../../util/parse-value.ts";
import { fault } from "./recipe-source.ts";
import { type SweepRecipe, sweepRecipeSchema } from "./sweep-recipe.ts";

/**
 * Checks the form of a recipe and fills in its defaults.
 * @throws UsageError that names the field of the first fault
 */
export function parseSweepRecipe(value: unknown): SweepRecipe {
  return parseValue(sweepRecipeSchema, value, ({ field, message, hint }) =>
    fault(field, message, hint),
  );
}
