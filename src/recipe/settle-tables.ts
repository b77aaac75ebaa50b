import type { Method } from "../methods/define-method.ts";
import { methods } from "../methods/index.ts";
import type { VocabularyRole } from "../nn/quantizable-model.ts";
import { findMixture } from "../quant/mixtures.ts";
import { usualTableScheme } from "../quant/usual-table-scheme.ts";
import { finishersOf, type ParsedRecipe, type Recipe, transformsOf } from "./recipe.ts";

/** What a recipe calls a table that stays as it is stored. */
export const storedTable = "f16";

type Tables = Pick<Recipe, "embedding" | "head">;

/** What a model has as embedding and output head. */
export interface ModelTables {
  /** Whether one table is both. */
  readonly tiedEmbeddings: boolean;
  /** Those that are stored in few bits already, as in a GGUF file; none by default. */
  readonly packedTables?: readonly VocabularyRole[];
}

/**
 * Fills in the schemes of embedding and output head; null: as it is stored, which is the default of
 * one that is quantized already. One table that serves as both takes the scheme of the one that is
 * named.
 */
export function settleTables(recipe: ParsedRecipe, model: ModelTables): Tables {
  const { tiedEmbeddings, packedTables = [] } = model;
  const { embedding, head } = recipe;
  const isRotated = transformsOf(recipe).some(({ method }) => method.rotateModel);
  const keepsAll = staysStored(recipe);
  const usualOf = (role: VocabularyRole): string | null =>
    keepsAll || (packedTables.includes(role) && !isRotated) ? null : usualTableScheme;
  // A rotation of the whole model gives a tied one a head of its own.
  if (!tiedEmbeddings || isRotated) {
    return {
      embedding: embedding === undefined ? usualOf("embedding") : embedding,
      head: head === undefined ? usualOf("head") : head,
    };
  }
  const isNamed = embedding !== undefined || head !== undefined;
  return { embedding: (isNamed ? embedding : usualOf("embedding")) ?? null, head: head ?? null };
}

/** Whether tables that no scheme is named for stay in 16 bits, or something else chooses for them. */
function staysStored(recipe: ParsedRecipe): boolean {
  if (recipe.generic || recipe.allocation || findMixture(recipe.scheme)) return true;
  const { [recipe.method]: quantizer }: Record<string, Method> = methods;
  if (quantizer.trainModel) return true;
  return finishersOf(recipe).some(({ method, options }) => method.trainsTables?.(options) ?? false);
}
