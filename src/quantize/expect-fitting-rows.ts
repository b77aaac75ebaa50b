import { expectWholeBlocks, type Scheme } from "../quant/scheme.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { SchemeError, UsageError } from "../util/errors.ts";

/** A weight and what it will be stored as; null leaves it as it is. */
interface PlannedWeight {
  readonly module: string;
  readonly inFeatures: number;
  readonly scheme: Scheme | null;
  /** What a table of the vocabulary serves as: the fields that give its scheme. */
  readonly roles?: readonly string[];
}

/**
 * Checks that the rows of all weights are whole blocks, where their schemes have blocks.
 * @throws UsageError that names the weight, the field of its scheme, and schemes that fit
 */
export function expectFittingRows(
  weights: readonly PlannedWeight[],
  recipe: Pick<Recipe, "scheme">,
): void {
  for (const { module, inFeatures, scheme, roles } of weights) {
    if (!scheme) continue;
    try {
      expectWholeBlocks(scheme, inFeatures);
    } catch (error) {
      if (!(error instanceof SchemeError)) throw error;
      const ofLinears = recipe.scheme.toLowerCase() === scheme.id ? "scheme" : "layers";
      throw new UsageError(`${module} does not fit ${error.message}`, {
        hint: error.hint,
        cause: error,
        field: roles?.[0] ?? ofLinears,
        value: scheme.id,
      });
    }
  }
}
