import type { Assignment } from "../../methods/shared/allocation/allocation-problem.ts";
import type { LinearDescription } from "../../nn/quantizable-model.ts";
import type { Scheme } from "../../quant/scheme.ts";
import type { Recipe, RecipeInput } from "../../recipe/recipe.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import type { LayerGroup } from "./layer-groups.ts";

/** Schemes by the full names of layers, and of embedding and output head; null: as they are. */
export interface ChosenSchemes {
  readonly linears: ReadonlyMap<string, Scheme>;
  readonly embedding: Scheme | null;
  readonly head: Scheme | null;
}

/**
 * Writes an allocation as a recipe that names the scheme of each layer, as anyone could: the scheme
 * that most layers have, and the others one by one. What the recipe itself says of layers stands
 * behind that, and counts.
 */
function plainRecipe(
  recipe: Recipe,
  all: readonly LinearDescription[],
  chosen: ChosenSchemes,
): RecipeInput & { readonly scheme: string } {
  const counts = new Map<string, number>();
  for (const { id } of chosen.linears.values()) counts.set(id, (counts.get(id) ?? 0) + 1);
  const [[usual] = [recipe.scheme]] = [...counts].sort(([, a], [, b]) => b - a);
  return {
    ...recipe,
    allocation: null,
    scheme: usual,
    embedding: chosen.embedding?.id ?? recipe.embedding,
    head: chosen.head?.id ?? recipe.head,
    layers: [...patternsOf(all, chosen.linears, usual), ...recipe.layers],
  };
}

function patternsOf(
  all: readonly LinearDescription[],
  schemes: ReadonlyMap<string, Scheme>,
  usual: string,
): RecipeInput["layers"] & object {
  const own = new Map<string, string>();
  for (const { module, expert } of all) {
    const scheme = schemes.get(module);
    if (!scheme || scheme.id === usual) continue;
    own.set(expert === undefined ? module : expertPattern(module, expert), scheme.id);
  }
  return [...own].map(([pattern, scheme]) => ({ pattern, scheme }));
}

/** All experts of a block in one pattern: `model.layers.3.mlp.experts.*.up_proj`. */
function expertPattern(module: string, expert: number): string {
  const part = `.${expert}.`;
  const at = module.lastIndexOf(part);
  return at < 0 ? module : `${module.slice(0, at)}.*.${module.slice(at + part.length)}`;
}

/** Layers and tables whose schemes are settled once each group has an option. */
export interface Assignable {
  readonly opened: Pick<OpenedModel, "model">;
  readonly recipe: Recipe;
  readonly groups: readonly LayerGroup[];
  readonly tables: Pick<ChosenSchemes, "embedding" | "head">;
}

/** Writes as a recipe which option each group has. */
export function assignedRecipe(
  { opened, recipe, groups, tables }: Assignable,
  assignment: Assignment,
): RecipeInput & { readonly scheme: string } {
  const linears = new Map<string, Scheme>();
  for (const [i, group] of groups.entries()) {
    const { schemes } = group.options[assignment[i]];
    for (const [at, { module }] of group.linears.entries()) linears.set(module, schemes[at]);
  }
  return plainRecipe(recipe, opened.model.linears(), { linears, ...tables });
}

/** Index of the option of fewest bytes of each group. */
export function smallestOptions(groups: readonly LayerGroup[]): Assignment {
  return groups.map(({ options }) =>
    options.reduce((least, { bytes }, i) => (bytes < options[least].bytes ? i : least), 0),
  );
}
