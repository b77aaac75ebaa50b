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
 * @param rules.mixed gives layers that no pattern names their schemes
 * @param rules.gates names of layers that are never quantized
 * @param rules.carried tensors of parts beside the language model, for which there is no data
 * @throws UsageError for a pattern that fits no layer, or is a broken regular expression, and for one of
 * `layers` that fits only such as are never quantized; `ignore` may name those
 */
export function selectLinears(
  linears: readonly LinearDescription[],
  { scheme, ignore, layers }: Pick<Recipe, "scheme" | "ignore" | "layers">,
  {
    mixed = null,
    gates = [],
    carried = new Set(),
  }: {
    readonly mixed?: SchemeRule | null;
    readonly gates?: readonly string[];
    readonly carried?: ReadonlySet<string>;
  } = {},
): PlannedLinear[] {
  const usual = usualScheme(scheme);
  const others = [...carried].map((name) => name.replace(/\.(?:weight|bias)$/, ""));
  const names = linears.map(({ module }) => module);
  const ignored = ignore.map((pattern, i) =>
    matcher({ pattern, field: `ignore[${i}]` }, [...names, ...gates, ...others]),
  );
  const own = layers.map((layer, i) => ({
    fits: matcher({ pattern: layer.pattern, field: `layers[${i}]` }, names, { gates, others }),
    scheme: parseScheme(layer.scheme),
  }));
  return linears.map((linear) => {
    if (ignored.some((fits) => fits(linear.module))) return { ...linear, scheme: null };
    const special = own.findLast(({ fits }) => fits(linear.module));
    if (special || !mixed) return { ...linear, scheme: special?.scheme ?? usual };
    return { ...linear, scheme: mixed.of(linear.module, linear.inFeatures) };
  });
}

/** A pattern, and the field that it stands in. */
interface Asked {
  readonly pattern: string;
  readonly field: string;
}

/**
 * @param names of what the pattern may fit
 * @throws UsageError when it fits nothing of these, or only what is never quantized
 */
function matcher(
  asked: Asked,
  names: readonly string[],
  { gates, others }: Untouched = { gates: [], others: [] },
): (module: string) => boolean {
  const { pattern, field } = asked;
  const expression = toExpression(pattern, field);
  const fitting = new Set(findFitting(expression, asked, names));
  if (fitting.size > 0) return (module) => fitting.has(module);
  const [gate] = findFitting(expression, asked, gates);
  if (gate !== undefined) throw gateNamed(asked, gate);
  const [other] = findFitting(expression, asked, others);
  if (other !== undefined) throw otherNamed(asked, other);
  throw new UsageError(`the pattern "${pattern}" fits no linear layer of this model`, {
    hint: `layers are named like ${names[0] ?? "model.layers.0.mlp.down_proj"}`,
    field,
    value: pattern,
  });
}

/** Layers that are never quantized. */
interface Untouched {
  /** What chooses the experts of each token. */
  readonly gates: readonly string[];
  /** Those of parts beside the language model. */
  readonly others: readonly string[];
}

function gateNamed({ pattern, field }: Asked, gate: string): UsageError {
  return new UsageError(
    `the pattern "${pattern}" fits ${gate}, which is never quantized: it chooses the experts of each ` +
      "token",
    { hint: "leave the pattern out, or name layers of experts", field, value: pattern },
  );
}

function otherNamed({ pattern, field }: Asked, other: string): UsageError {
  return new UsageError(
    `the pattern "${pattern}" fits only layers beside the language model, such as ${other}, ` +
      "for which there is no data: they cannot be quantized",
    { hint: "leave the pattern out: these layers stay as they are", field, value: pattern },
  );
}

function findFitting(
  expression: RegExp,
  { pattern, field }: Asked,
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
