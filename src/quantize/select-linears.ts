import { runWithin, TimeIsOver } from "../platform/node.ts";
import type { LinearDescription } from "../nn/quantizable-model.ts";
import { parseScheme, type Scheme } from "../quant/scheme.ts";
import { usualScheme } from "../recipe/mixture-schemes.ts";
import { UsageError } from "../util/errors.ts";
import type { PlannedLinear } from "../run/plan.ts";
import type { Recipe } from "../recipe/recipe.ts";

/** What gives layers a scheme that no pattern gives them; null: they stay as they are. */
interface SchemeRule {
  of(module: string, columns: number): Scheme | null;
}

/**
 * Decides what happens to each linear layer: its scheme, or null when a pattern of `ignore` fits, or
 * a rule such as that of a mixture leaves it in floats. A
 * pattern is a glob over the module name (`*` any run of characters), which may leave out leading
 * parts: `mlp.down_proj`, `layers.0.*`, `*.k_proj`. With the prefix `re:` it is a regular
 * expression.
 * @param gates names of layers that are never quantized; patterns of `ignore` may fit them
 * @throws UsageError for a pattern that fits no layer, or only such ones, or is a broken regular
 *   expression
 */
export function selectLinears(
  linears: readonly LinearDescription[],
  { scheme, ignore, layers }: Pick<Recipe, "scheme" | "ignore" | "layers">,
  mixed: SchemeRule | null = null,
  gates: readonly string[] = [],
): PlannedLinear[] {
  const usual = usualScheme(scheme);
  const ignored = ignore.map((pattern, i) =>
    matcher(pattern, `ignore[${i}]`, { linears, gates, mayFitGates: true }),
  );
  const own = layers.map((layer, i) => ({
    fits: matcher(layer.pattern, `layers[${i}]`, { linears, gates, mayFitGates: false }),
    scheme: parseScheme(layer.scheme),
  }));
  return linears.map((linear) => {
    if (ignored.some((fits) => fits(linear.module))) return { ...linear, scheme: null };
    const special = own.findLast(({ fits }) => fits(linear.module));
    if (special || !mixed) return { ...linear, scheme: special?.scheme ?? usual };
    return { ...linear, scheme: mixed.of(linear.module, linear.inFeatures) };
  });
}

function matcher(
  pattern: string,
  field: string,
  { linears, gates, mayFitGates }: Matched,
): (module: string) => boolean {
  const expression = toExpression(pattern, field);
  const find = (names: readonly string[]): string[] =>
    findFitting(expression, pattern, field, names);
  const fitting = new Set(find(linears.map(({ module }) => module)));
  if (fitting.size > 0) return (module) => fitting.has(module);
  const [gate] = find(gates);
  if (gate !== undefined && mayFitGates) return () => false;
  if (gate !== undefined) throw gateNamed(pattern, field, gate);
  throw new UsageError(`the pattern "${pattern}" fits no linear layer of this model`, {
    hint: `layers are named like ${linears[0]?.module ?? "model.layers.0.mlp.down_proj"}`,
    field,
    value: pattern,
  });
}

/** What patterns are matched with. */
interface Matched {
  readonly linears: readonly LinearDescription[];
  readonly gates: readonly string[];
  readonly mayFitGates: boolean;
}

function gateNamed(pattern: string, field: string, gate: string): UsageError {
  return new UsageError(
    `the pattern "${pattern}" fits ${gate}, which is never quantized: it chooses the experts of each ` +
      "token",
    { hint: "leave the pattern out, or name layers of experts", field, value: pattern },
  );
}

function findFitting(
  expression: RegExp,
  pattern: string,
  field: string,
  names: readonly string[],
): string[] {
  try {
    return runWithin(longestMs, () => names.filter((name) => expression.test(name)));
  } catch (cause) {
    if (!(cause instanceof TimeIsOver)) throw cause;
    throw new UsageError(`the pattern "${pattern}" takes more than ${longestMs / 1000} s`, {
      hint: "write it without repetitions of repetitions, such as (a+)+",
      cause,
      field,
      value: pattern,
    });
  }
}

/** Milliseconds that a pattern may take for the names of all layers. */
const longestMs = 5_000;
/** Longest pattern: V8 fails on far longer ones when it uses them. */
const longestPattern = 1000;

function toExpression(pattern: string, field: string): RegExp {
  if (pattern.length > longestPattern) {
    throw new UsageError(
      `expected a pattern of at most ${longestPattern} characters, got ${pattern.length}`,
      { field, value: pattern.slice(0, 100) },
    );
  }
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
