import { z } from "zod";
import { rangeEstimators } from "../calibration/statistics/activation-ranges.ts";
import { type MethodId, methods } from "../methods/index.ts";
import type { Method, MethodRole } from "../methods/define-method.ts";
import { grids } from "../quant/grids/index.ts";
import { hasFixedActivations, makeScheme, parseScheme, type Scheme } from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";

const usualWindow = 512;
const methodIds = Object.keys(methods) as [MethodId, ...MethodId[]];

/** Where calibration text comes from. */
export const calibrationSchema = z.object({
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
  /** Continue with fewer windows when the text has no more. */
  allowFewer: z.boolean().default(false),
});

/** A method that changes blocks before they are quantized, and its options. */
const transformSchema = z.object({
  method: z.enum(methodIds),
  /** Options of the method; its own schema checks them. */
  options: z.record(z.string(), z.unknown()).default({}),
});

/** A method that trains the quantized model further, and its options. */
const finisherSchema = z.object({
  method: z.enum(methodIds),
  /** Options of the method; its own schema checks them. */
  options: z.record(z.string(), z.unknown()).default({}),
  /** Text to train on; null takes the calibration text. */
  data: calibrationSchema.nullable().default(null),
});

/** A serialisable plan of one quantization. */
export const recipeSchema = z.object({
  /** Directory of the original checkpoint. */
  model: z.string().min(1),
  /** Directory to write. */
  out: z.string().min(1),
  /** What is done to each block before it is quantized, in this order. */
  transforms: z.array(transformSchema).default([]),
  /** The quantizer. */
  method: z.enum(methodIds),
  /** Options of the method; its own schema checks them. */
  options: z.record(z.string(), z.unknown()).default({}),
  /** What is done to the quantized model, in this order. */
  finishers: z.array(finisherSchema).default([]),
  /** Scheme id of every linear layer without one of its own. */
  scheme: z.string(),
  /** Linear layers that stay as they are: patterns over module names. */
  ignore: z.array(z.string()).default([]),
  /** Linear layers with a scheme of their own; the last pattern that fits counts. */
  layers: z.array(z.object({ pattern: z.string(), scheme: z.string() })).default([]),
  /** Scheme of the embedding; null leaves it as it is. A tied output head is the same table. */
  embedding: z.string().nullable().default(null),
  /** Scheme of the output head; null leaves it as it is. A tied embedding is the same table. */
  head: z.string().nullable().default(null),
  calibration: calibrationSchema.nullable().default(null),
  /** Gather each linear's inputs after those before it in its block were quantized. */
  trueSequential: z.boolean().default(true),
  /** How ranges of activations are found, for schemes that fix them (`a8-static`, `a8-integer`). */
  activationRange: z.enum(rangeEstimators).default("min-max"),
  /** How the activations between blocks are kept. */
  cacheDType: z.enum(["f32", "f16"]).default("f32"),
  /** Keep them in files in the working directory instead of in memory; changes no result. */
  cacheOnDisk: z.boolean().default(false),
  /** Directory of the model that methods with a teacher learn from; by default the original. */
  teacher: z.string().nullable().default(null),
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
  expectRole(method, "quantizer");
  const options = parseOptions(method, recipe.options);
  const transforms = recipe.transforms.map((transform) => {
    const { [transform.method]: chosen }: Record<MethodId, Method> = methods;
    expectRole(chosen, "transform");
    return { ...transform, options: parseOptions(chosen, transform.options) };
  });
  const finishers = recipe.finishers.map((finisher) => parseFinisher(finisher, recipe));
  const parsed = { ...recipe, options, transforms, finishers };
  for (const scheme of schemesOf(parsed)) {
    if (hasFixedActivations(scheme)) expectCalibration(`the scheme ${scheme.id}`, recipe);
  }
  for (const id of [recipe.embedding, recipe.head]) {
    if (id !== null) expectTableScheme(parseScheme(id));
  }
  for (const each of methodsOf(parsed)) {
    for (const scheme of schemesOf(parsed)) expectSupport(each, scheme);
    if (needsText(each)) expectCalibration(each.title, recipe);
  }
  if (method.trainModel) expectTrainable(method, recipe);
  if (recipe.teacher !== null) expectPupil([method, ...finishersOf(parsed)]);
  return { parsed, method };
}

/** A teacher is for methods that learn from one. */
function expectPupil(chosen: readonly Method[]): void {
  if (chosen.some(({ needs }) => needs.teacher)) return;
  throw new UsageError(`${chosen.map(({ title }) => title).join(" and ")} has no teacher`, {
    hint: "leave out --teacher",
  });
}

/** Checks a finisher: its role, its options, the schemes and that there is text. */
function parseFinisher(
  finisher: ParsedRecipe["finishers"][number],
  recipe: ParsedRecipe,
): ParsedRecipe["finishers"][number] {
  const { [finisher.method]: chosen }: Record<MethodId, Method> = methods;
  expectRole(chosen, "finisher");
  for (const scheme of schemesOf(recipe)) expectSupport(chosen, scheme);
  if (!finisher.data) expectCalibration(chosen.title, recipe);
  return { ...finisher, options: parseOptions(chosen, finisher.options) };
}

/** Training of a whole model changes embedding and output head, and sees no block by itself. */
function expectTrainable(method: Method, recipe: ParsedRecipe): void {
  if (recipe.transforms.length > 0) {
    throw new UsageError(`${method.title} trains all weights: transforms would be lost in that`, {
      hint: "leave out --transform",
    });
  }
  if (recipe.embedding === null && recipe.head === null) return;
  throw new UsageError(`${method.title} trains embedding and output head, which stay in 16 bits`, {
    hint: "leave out --embedding and --head",
  });
}

/** The transforms of a recipe with their options, in the order in which they run. */
export function transformsOf({
  transforms,
}: Pick<Recipe, "transforms">): { method: Method; options: Record<string, unknown> }[] {
  return transforms.map(({ method, options }) => ({ method: methods[method], options }));
}

/** The finishers of a recipe, in the order in which they run. */
export function finishersOf({ finishers }: Pick<Recipe, "finishers">): Method[] {
  return finishers.map(({ method }) => methods[method]);
}

/** All methods of a recipe that work on the original, in the order in which they run. */
export function methodsOf({ transforms, method }: Pick<Recipe, "transforms" | "method">): Method[] {
  return [...transforms.map((transform) => methods[transform.method]), methods[method]];
}

/** What speaks against the schemes of a recipe, a sentence each. */
export function cautionsOf(recipe: Omit<Recipe, "calibration">): string[] {
  const cautions = methodsOf(recipe).flatMap((method) =>
    schemesOf(recipe).flatMap((scheme) => method.caution?.(scheme) ?? []),
  );
  return [...new Set(cautions)];
}

/** Whether a method works on activations of calibration text, or trains on it. */
export function needsText({ needs, trainModel }: Method): boolean {
  return needs.statistics.length > 0 || (needs.floatInputs ?? false) || trainModel !== undefined;
}

function schemesOf({ scheme, layers }: Pick<Recipe, "scheme" | "layers">): Scheme[] {
  return [scheme, ...layers.map((layer) => layer.scheme)].map(parseScheme);
}

function parseOptions(method: Method, options: unknown): Record<string, unknown> {
  return parseWith(method.options.strict(), options, `options of ${method.id}`);
}

function expectRole(method: Method, role: MethodRole): void {
  if (method.role === role) return;
  const { id, title } = method;
  if (method.role === "finisher") {
    throw new UsageError(`${title} trains a quantized model further, and cannot make one`, {
      hint: `use it after a quantizer: --method rtn --finish ${id}`,
    });
  }
  if (method.role === "transform") {
    throw new UsageError(`${title} prepares weights, and cannot quantize them by itself`, {
      hint: `use it before a quantizer: --transform ${id} --method rtn`,
    });
  }
  throw new UsageError(`${title} is not a ${role}`, {
    hint: `name it as the method: --method ${id}`,
  });
}

/**
 * Fills in what depends on the model: the length of calibration windows.
 * @throws UsageError when windows are longer than the model's context
 */
export function settleRecipe(parsed: ParsedRecipe, contextLength: number): Recipe {
  return { ...parsed, calibration: settleCalibration(parsed.calibration, contextLength) };
}

/**
 * Fills in the length of windows.
 * @throws UsageError when they are longer than the model's context
 */
export function settleCalibration(
  calibration: ParsedRecipe["calibration"],
  contextLength: number,
): Recipe["calibration"] {
  if (!calibration) return null;
  const { window = Math.min(usualWindow, contextLength) } = calibration;
  if (window <= contextLength) return { ...calibration, window };
  throw new UsageError(
    `calibration windows of ${window} tokens are longer than the model's context ` +
      `of ${contextLength}`,
    { hint: `use --window ${contextLength} or less` },
  );
}

function expectCalibration(what: string, { calibration }: Pick<ParsedRecipe, "calibration">): void {
  if (calibration) return;
  throw new UsageError(`${what} needs calibration text, and none was given`, {
    hint: "name a text or JSONL file (--calibration FILE), or sample from the model itself",
  });
}

/** Embedding and output head are rounded to nearest, and their inputs stay floats. */
function expectTableScheme(scheme: Scheme): void {
  expectSupport(methods.rtn, scheme);
  if (scheme.activation === null) return;
  throw new UsageError(
    `embedding and output head take a scheme of weights only, not ${scheme.id}`,
    {
      hint: `use ${makeScheme(scheme.grid, scheme.groupSize).id}`,
    },
  );
}

function expectSupport(method: Method, scheme: Scheme): void {
  if (method.supports(scheme)) return;
  const { bits } = scheme.grid;
  const others = grids
    .filter((grid) => grid.bits === bits)
    .map((grid) => makeScheme(grid, scheme.groupSize, scheme.activation))
    .filter((other) => method.supports(other));
  const hint = others.length > 0 ? { hint: `use ${others.map(({ id }) => id).join(" or ")}` } : {};
  throw new UsageError(`${method.title} does not support the scheme ${scheme.id}`, hint);
}

function parseWith<S extends z.ZodType>(schema: S, input: unknown, what: string): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".") || "value";
  throw new UsageError(`${what}: ${field}: ${issue?.message ?? "is not valid"}`);
}
