import { z } from "zod";
import { type MethodId, methods } from "../methods/index.ts";
import type { Method } from "../methods/define-method.ts";
import { parseScheme, type Scheme } from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";

const usualWindow = 512;
const methodIds = Object.keys(methods) as [MethodId, ...MethodId[]];

/** Where calibration text comes from. */
const calibrationSchema = z.object({
  /** Text or JSONL files with the weight of each in the mixture. */
  files: z
    .array(z.object({ path: z.string(), weight: z.number().positive().default(1) }))
    .default([]),
  /** Sample the text from the model itself instead. */
  selfGenerated: z.boolean().default(false),
  /** Number of windows. */
  samples: z.number().int().positive().default(128),
  /** Tokens a window; 512, or the model's context when that is shorter, unless given. */
  window: z.number().int().min(2).optional(),
  /** The first windows of the text, or windows drawn at random. */
  order: z.enum(["first", "random"]).default("first"),
  /** A beginning-of-sequence token once at the very start of the text, or in each window. */
  bos: z.enum(["once", "each"]).default("once"),
  /** Go on with fewer windows when the text has no more. */
  allowFewer: z.boolean().default(false),
});

/** A serialisable plan of one quantization. */
export const recipeSchema = z.object({
  /** Directory of the original checkpoint. */
  model: z.string().min(1),
  /** Directory to write. */
  out: z.string().min(1),
  method: z.enum(methodIds),
  /** Options of the method; its own schema checks them. */
  options: z.record(z.string(), z.unknown()).default({}),
  /** Scheme id of every linear layer without one of its own. */
  scheme: z.string(),
  /** Linear layers that stay as they are: patterns over module names. */
  ignore: z.array(z.string()).default([]),
  /** Linear layers with a scheme of their own; the last pattern that fits counts. */
  layers: z.array(z.object({ pattern: z.string(), scheme: z.string() })).default([]),
  calibration: calibrationSchema.nullable().default(null),
  /** Gather each linear's inputs after those before it in its block were quantized. */
  trueSequential: z.boolean().default(true),
  seed: z.number().int().nonnegative().default(0),
});

type ParsedRecipe = z.output<typeof recipeSchema>;
type ParsedCalibration = NonNullable<ParsedRecipe["calibration"]>;

/** A recipe with all defaults filled in. */
export type Recipe = Omit<ParsedRecipe, "calibration"> & {
  readonly calibration: (ParsedCalibration & { readonly window: number }) | null;
};
/** A recipe as a user writes it. */
export type RecipeInput = z.input<typeof recipeSchema>;

/**
 * Fills in defaults and checks a recipe, method options and schemes included, before any work.
 * @throws UsageError that names the field
 * @throws SchemeError for a scheme id that does not parse or that the method does not support
 */
export function parseRecipe(input: RecipeInput): { parsed: ParsedRecipe; method: Method } {
  const recipe = parseWith(recipeSchema, input, "recipe");
  const method: Method = methods[recipe.method];
  const options = parseWith(method.options.strict(), recipe.options, `options of ${method.id}`);
  for (const id of [recipe.scheme, ...recipe.layers.map((layer) => layer.scheme)]) {
    expectSupport(method, parseScheme(id));
  }
  if (method.needs.statistics.length > 0 && !recipe.calibration) {
    throw new UsageError(`${method.title} needs calibration text, and none was given`, {
      hint: "name a text or JSONL file (--calibration FILE), or sample from the model itself",
    });
  }
  return { parsed: { ...recipe, options }, method };
}

/**
 * Fills in what depends on the model: the length of calibration windows.
 * @throws UsageError when windows are longer than the model's context
 */
export function settleRecipe(parsed: ParsedRecipe, contextLength: number): Recipe {
  const { calibration } = parsed;
  if (!calibration) return { ...parsed, calibration: null };
  const { window = Math.min(usualWindow, contextLength) } = calibration;
  if (window <= contextLength) return { ...parsed, calibration: { ...calibration, window } };
  throw new UsageError(
    `calibration windows of ${window} tokens are longer than the model's context ` +
      `of ${contextLength}`,
    { hint: `use --window ${contextLength} or less` },
  );
}

function expectSupport(method: Method, scheme: Scheme): void {
  if (method.supports(scheme)) return;
  throw new UsageError(`${method.title} does not support the scheme ${scheme.id}`);
}

function parseWith<S extends z.ZodType>(schema: S, input: unknown, what: string): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".") || "value";
  throw new UsageError(`${what}: ${field}: ${issue?.message ?? "is not valid"}`);
}
