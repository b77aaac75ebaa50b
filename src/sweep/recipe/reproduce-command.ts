import { type MethodId, methods } from "../../methods/index.ts";
import { optionFields, type RecipeInput, recipeFields } from "../../recipe/recipe.ts";
import { valueAt } from "../../util/field-path.ts";
import { writeWords } from "../../util/field-words.ts";
import { formatCommand } from "../../util/shell-command.ts";

/** What is written before the other fields, method by method with its options, or behind them. */
const apart = ["method", "start", "transforms", "finishers", "out"];

/**
 * Writes a recipe as the command line that makes the same checkpoint; `placeOf` says how paths are
 * written, and `out` is the folder that it writes.
 */
export function reproduceCommand(
  recipe: RecipeInput,
  out: string,
  placeOf: (path: string) => string,
): string {
  return formatCommand(["fewbit", "quantize", ...recipeWords(recipe, out, placeOf)]);
}

/** Writes a recipe as words of `fewbit quantize`. */
export function recipeWords(
  recipe: RecipeInput,
  out: string,
  placeOf: (path: string) => string,
): string[] {
  const { model, start, transforms = [], finishers = [] } = recipe;
  const [finishText] = finishers.flatMap(({ data }) => data ?? []);
  const said = { ...recipe, finishText };
  const fields = recipeFields.filter(({ path }) => !apart.includes(path[0]));
  return [
    placeOf(model),
    ...transforms.flatMap((step) => ["--transform", ...methodWords(step)]),
    "--method",
    ...methodWords(recipe),
    ...(start ? ["--start", ...methodWords(start, recipe.method)] : []),
    ...finishers.flatMap((step) => ["--finish", ...methodWords(step)]),
    ...fields.flatMap((field) => writeWords(field, valueAt(said, field.path), placeOf)),
    "--out",
    out,
  ];
}

/** A method with its options, but for flags that `other` has: there they would be its own. */
function methodWords(
  { method, options = {} }: Pick<RecipeInput, "method" | "options">,
  other?: MethodId,
): string[] {
  const taken = new Set((other ? optionFields(methods[other]) : []).map(({ flag }) => flag));
  const words = optionFields(methods[method])
    .filter(({ flag }) => !taken.has(flag))
    .flatMap((field) => writeWords(field, options[field.path[0]], (path) => path));
  return [method, ...words];
}
