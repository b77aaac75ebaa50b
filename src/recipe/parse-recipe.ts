import type { z } from "zod";
import { type MethodId, methods } from "../methods/index.ts";
import type { Method, MethodRole } from "../methods/define-method.ts";
import { grids } from "../quant/grids/index.ts";
import { hasFixedActivations, makeScheme, parseScheme, type Scheme } from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";
import {
  finishersOf,
  methodsOf,
  type ParsedRecipe,
  type Recipe,
  type RecipeInput,
  recipeSchema,
} from "./recipe.ts";

const usualWindow = 512;

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
 * Fills in the length of windows. @throws UsageError when they are longer than the model's context
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
