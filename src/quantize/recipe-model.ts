import type { RecipeModel } from "../recipe/parse-recipe.ts";
import type { OpenedModel } from "../runtime/load.ts";

/** What defaults of a recipe hang on in an opened model. */
export function recipeModel({ config, model, checkpoint }: OpenedModel): RecipeModel {
  const { contextLength, tiedEmbeddings } = config;
  const packed = model
    .embeddingAndHead()
    .filter(({ module }) => checkpoint.packedForms.has(`${module}.weight`));
  return { contextLength, tiedEmbeddings, packedTables: packed.flatMap(({ roles }) => roles) };
}
