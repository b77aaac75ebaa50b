import type { LinearDescription } from "../nn/quantizable-model.ts";
import { parseScheme } from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";
import type { PlannedLinear } from "../run/plan.ts";
import type { Recipe } from "../recipe/recipe.ts";

/**
 * Decides what happens to each linear layer: its scheme, or null when a pattern of `ignore` fits. A
 * pattern is a glob over the module name (`*` any run of characters), which may leave out leading
 * parts: `mlp.down_proj`, `layers.0.*`, `*.k_proj`. With the prefix `re:` it is a regular
 * expression.
 * @throws UsageError for a pattern that fits no layer, or a broken regular expression
 */
export function selectLinears(
  linears: readonly LinearDescription[],
  { scheme, ignore, layers }: Pick<Recipe, "scheme" | "ignore" | "layers">,
): PlannedLinear[] {
  const usual = parseScheme(scheme);
  const ignored = ignore.map((pattern, i) => matcher(pattern, `ignore[${i}]`, linears));
  const own = layers.map((layer, i) => ({
    fits: matcher(layer.pattern, `layers[${i}]`, linears),
    scheme: parseScheme(layer.scheme),
  }));
  return linears.map((linear) => {
    if (ignored.some((fits) => fits(linear.module))) return { ...linear, scheme: null };
    const special = own.findLast(({ fits }) => fits(linear.module));
    return { ...linear, scheme: special?.scheme ?? usual };
  });
}

function matcher(
  pattern: string,
  field: string,
  linears: readonly LinearDescription[],
): (module: string) => boolean {
  const expression = toExpression(pattern, field);
  const fits = (module: string): boolean => expression.test(module);
  if (linears.some(({ module }) => fits(module))) return fits;
  throw new UsageError(`the pattern "${pattern}" fits no linear layer of this model`, {
    hint: `layers are named like ${linears[0]?.module ?? "model.layers.0.mlp.down_proj"}`,
    field,
    value: pattern,
  });
}

function toExpression(pattern: string, field: string): RegExp {
  if (!pattern.startsWith("re:")) {
    const body = pattern.split("*").map(escapeLiteral).join(".*");
    return new RegExp(`(?:^|\\.)${body}$`);
  }
  try {
    return new RegExp(pattern.slice(3));
  } catch (error) {
    throw new UsageError(`the pattern "${pattern}" is not a regular expression`, {
      cause: error,
      field,
      value: pattern,
    });
  }
}

function escapeLiteral(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
