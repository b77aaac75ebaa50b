import { type Method } from "../methods/define-method.ts";
import { methods } from "../methods/index.ts";
import { findMixture } from "../quant/mixtures.ts";
import { finishersOf, type ParsedRecipe, type Recipe, transformsOf } from "./recipe.ts";

/**
 * Scheme of embedding and output head where none is named: 8 bits in groups, which GGUF, MLX and
 * ONNX hold exactly.
 */
export const usualTableScheme = "w8g64-sym";

/** What a recipe calls a table that stays as it is stored. */
export const storedTable = "f16";

type Tables = Pick<Recipe, "embedding" | "head">;

/**
 * Fills in the schemes of embedding and output head; null: as it is stored. One table that serves as
 * both takes the scheme of the one that is named.
 */
export function settleTables(recipe: ParsedRecipe, isTied: boolean): Tables {
  const usual = staysStored(recipe) ? null : usualTableScheme;
  const { embedding, head } = recipe;
  if (!isTied || isUntied(recipe)) {
    return {
      embedding: embedding === undefined ? usual : embedding,
      head: head === undefined ? usual : head,
    };
  }
  const isNamed = embedding !== undefined || head !== undefined;
  return { embedding: (isNamed ? embedding : usual) ?? null, head: head ?? null };
}

/** Whether tables that no scheme is named for stay in 16 bits, or something else chooses for them. */
function staysStored(recipe: ParsedRecipe): boolean {
  if (recipe.generic || recipe.allocation || findMixture(recipe.scheme)) return true;
  const { [recipe.method]: quantizer }: Record<string, Method> = methods;
  if (quantizer.trainModel) return true;
  return finishersOf(recipe).some(({ method, options }) => method.trainsTables?.(options) ?? false);
}

/** A rotation of the whole model gives a tied one a head of its own. */
function isUntied(recipe: ParsedRecipe): boolean {
  return transformsOf(recipe).some(({ method }) => method.rotateModel);
}
