import { expectWithinContext } from "../calibration/windows.ts";
import { type MethodId, methods } from "../methods/index.ts";
import type { Method } from "../methods/define-method.ts";
import {
  hasFixedActivations,
  parseScheme,
  type Scheme,
  withoutActivations,
} from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";
import { findMixture } from "../quant/mixtures.ts";
import { chooseScheme, describeChoice } from "./choose-scheme.ts";
import { expectAllocation, withFirstChoice } from "./expect-allocation.ts";
import { expectGeneric } from "./expect-generic.ts";
import { usualScheme } from "./mixture-schemes.ts";
import { needsText } from "./needs-text.ts";
import {
  expectCalibration,
  expectRole,
  expectRotationFirst,
  expectSupport,
  naming,
  parseOptions,
  parseWith,
  readScheme,
  schemesOf,
} from "./recipe-checks.ts";
import { settleStart } from "./settle-start.ts";
import { type ModelTables, settleTables, storedTable } from "./settle-tables.ts";
import {
  calibrationSchema,
  type ChosenMethod,
  chainOf,
  finishersOf,
  methodsOf,
  type ParsedRecipe,
  type Recipe,
  type RecipeInput,
  recipeSchema,
  transformsOf,
} from "./recipe.ts";

const usualWindow = 512;

/** A recipe that was checked. */
export interface CheckedRecipe {
  readonly parsed: ParsedRecipe;
  readonly method: Method;
  /** What was chosen in the place of what the recipe says, a sentence each. */
  readonly choices: readonly string[];
}

/**
 * Fills in defaults and checks a recipe, method options and schemes included, before any work.
 * @throws UsageError that names the field, also for a scheme that there is not or that the method
 * does not support
 */
export function parseRecipe(input: RecipeInput): CheckedRecipe {
  const { recipe, choices } = settleSchemes(
    withStoredTables(withText(parseWith(recipeSchema, withFirstChoice(input), "recipe"))),
  );
  const method: Method = methods[recipe.method];
  expectRole(method, "quantizer", "method");
  if (recipe.generic) expectGeneric(recipe, method);
  const options = parseOptions(method, recipe.options, []);
  const transforms = recipe.transforms.map((transform, i) => {
    const { [transform.method]: chosen }: Record<MethodId, Method> = methods;
    expectRole(chosen, "transform", `transforms[${i}]`);
    return { ...transform, options: parseOptions(chosen, transform.options, ["transforms", i]) };
  });
  const finishers = recipe.finishers.map((finisher, i) => parseFinisher(finisher, i, recipe));
  if (recipe.allocation) expectAllocation(recipe.allocation, recipe);
  const schemes = schemesOf(recipe);
  const parsed = { ...recipe, options, transforms, finishers };
  for (const { scheme } of schemes) {
    if (hasFixedActivations(scheme)) expectCalibration(`the scheme ${scheme.id}`, recipe);
  }
  for (const field of ["embedding", "head"] as const) {
    const { [field]: id = null } = recipe;
    if (id !== null) expectTableScheme(readScheme(id, field), field);
  }
  for (const { method: each, options: own } of [...transformsOf(parsed), { method, options }]) {
    for (const { scheme, field } of schemes) expectSupport(each, scheme, field);
    if (needsText(each, own)) expectCalibration(each.title, recipe);
  }
  expectForm(recipe.calibration, "calibration");
  for (const [i, { data }] of finishers.entries()) expectForm(data, `finishers[${i}].data`);
  expectImageUse(parsed, method);
  expectRotationFirst(parsed);
  if (method.trainModel) expectTrainable(method, recipe);
  if (recipe.imatrix !== null) expectImportanceUse(recipe.imatrix, method, schemes);
  const chosen = [{ method, options }, ...finishersOf(parsed)];
  if (recipe.teacher !== null) expectPupil(recipe.teacher, chosen);
  const start = settleStart(recipe.start, method, schemes);
  return { parsed: { ...parsed, start }, method, choices };
}

/** Lets the model write the text where none is given and the method is meant for that. */
function withText(recipe: ParsedRecipe): ParsedRecipe {
  const { writesText }: Method = methods[recipe.method];
  const { calibration } = recipe;
  if (!writesText || (calibration && calibration.files.length > 0)) return recipe;
  const written = { ...(calibration ?? calibrationSchema.parse({})), selfGenerated: true };
  return { ...recipe, calibration: written };
}

/** A table that stays as it is stored has no scheme. */
function withStoredTables(recipe: ParsedRecipe): ParsedRecipe {
  const stored = (["embedding", "head"] as const).filter((role) => recipe[role] === storedTable);
  return { ...recipe, ...Object.fromEntries(stored.map((role) => [role, null])) };
}

/** The form of text that the model writes itself is for such text. */
function expectForm(text: ParsedRecipe["calibration"], field: string): void {
  if (!text || text.selfGenerated || text.selfGeneratedForm === "text") return;
  throw new UsageError("only text that the model writes itself has a form to choose", {
    hint: "add `selfGenerated`, or leave out `selfGeneratedForm`",
    field: `${field}.selfGeneratedForm`,
    value: text.selfGeneratedForm,
  });
}

/** Images are for methods that go block by block, and stand in conversations of files. */
function expectImageUse({ calibration, finishers }: ParsedRecipe, method: Method): void {
  const value = calibration?.imageEmbeddings ?? null;
  const field = "calibration.imageEmbeddings";
  if (value !== null && calibration?.files.length === 0) {
    throw new UsageError("images stand in conversations, and no file of them was given", {
      hint: "name a JSONL file of conversations (`calibration: FILE`)",
      field,
      value,
    });
  }
  if (value !== null && method.trainModel) {
    throw trainsOnText(method, "leave out `imageEmbeddings`", { field, value });
  }
  for (const [i, { method: id, data }] of finishers.entries()) {
    const own = data?.imageEmbeddings ?? null;
    const finisher: Method = methods[id];
    if (own !== null) {
      const place = { field: `finishers[${i}].data.imageEmbeddings`, value: own };
      throw trainsOnText(finisher, "leave out `imageEmbeddings`", place);
    }
    if (value === null || data !== null) continue;
    const hint = "give it text of its own: `finishText.files: FILE`, in a recipe `data`";
    throw trainsOnText(finisher, hint, { field, value });
  }
}

function trainsOnText(
  { title }: Method,
  hint: string,
  about: { readonly field: string; readonly value: string },
): UsageError {
  return new UsageError(`${title} trains the whole model, on text alone: it takes no images`, {
    hint,
    ...about,
  });
}

/** Gives schemes whose grid was left open the one that the methods take. */
function settleSchemes(recipe: ParsedRecipe): { recipe: ParsedRecipe; choices: string[] } {
  const chain = chainOf(recipe);
  const choices = new Set<string>();
  const settle = (id: string, field: string): string => {
    const chosen = naming(field, id, () => chooseScheme(id, chain));
    if (chosen.grid !== parseScheme(id).grid) choices.add(describeChoice(id, chosen, chain));
    return chosen.id;
  };
  const layers = recipe.layers.map(({ pattern, scheme }, i) => ({
    pattern,
    scheme: settle(scheme, `layers[${i}].scheme`),
  }));
  const { scheme: usual } = recipe;
  const allocation = recipe.allocation && {
    ...recipe.allocation,
    choices: recipe.allocation.choices.map((id, i) => settle(id, `allocation.choices[${i}]`)),
  };
  const [first = usual] = allocation?.choices ?? [];
  const scheme = allocation ? first : findMixture(usual) ? usual : settle(usual, "scheme");
  const settled = { ...recipe, scheme, layers, allocation };
  return { recipe: settled, choices: [...choices] };
}

/** Importance of columns is for methods that use it, and for blocks. */
function expectImportanceUse(
  value: string,
  { title, usesImportance = false }: Method,
  schemes: readonly { readonly scheme: Scheme }[],
): void {
  if (usesImportance && schemes.some(({ scheme }) => scheme.blocks)) return;
  const message = usesImportance
    ? "only blocks of ggml are chosen by importance, and no scheme has them"
    : `${title} does not use the importance of columns`;
  throw new UsageError(message, { hint: "leave out `imatrix`", field: "imatrix", value });
}

/** A teacher is for methods that learn from one, as their options say. */
function expectPupil(value: string, chosen: readonly ChosenMethod[]): void {
  if (chosen.some(({ method, options }) => method.usesTeacher?.(options))) return;
  const titles = chosen.map(({ method }) => method.title).join(" and ");
  throw new UsageError(`${titles} has no teacher`, {
    hint: "leave out `teacher`",
    field: "teacher",
    value,
  });
}

/** Checks a finisher: its role, its options, the schemes and that there is text. */
function parseFinisher(
  finisher: ParsedRecipe["finishers"][number],
  index: number,
  recipe: ParsedRecipe,
): ParsedRecipe["finishers"][number] {
  const { [finisher.method]: chosen }: Record<MethodId, Method> = methods;
  expectRole(chosen, "finisher", `finishers[${index}]`);
  for (const { scheme, field } of schemesOf(recipe)) expectSupport(chosen, scheme, field);
  if (!finisher.data) expectCalibration(chosen.title, recipe);
  return { ...finisher, options: parseOptions(chosen, finisher.options, ["finishers", index]) };
}

/** Training of a whole model changes embedding and output head, and sees no block by itself. */
function expectTrainable(method: Method, recipe: ParsedRecipe): void {
  if (recipe.transforms.length > 0) {
    throw new UsageError(`${method.title} trains all weights: transforms would be lost in that`, {
      hint: "leave out `transforms`",
      field: "transforms",
      value: recipe.transforms,
    });
  }
  if (findMixture(recipe.scheme)) {
    const message = `${method.title} trains embedding and output head, which ${recipe.scheme} quantizes`;
    const hint = `use ${usualScheme(recipe.scheme).id}, which leaves them in 16 bits`;
    throw new UsageError(message, { hint, field: "scheme", value: recipe.scheme });
  }
  const { embedding = null, head = null } = recipe;
  if (embedding === null && head === null) return;
  throw new UsageError(`${method.title} trains embedding and output head, which stay in 16 bits`, {
    hint: "leave out `embedding` and `head`",
    field: embedding === null ? "head" : "embedding",
    value: embedding ?? head,
  });
}

/** What speaks against the schemes of a recipe, a sentence each. */
export function cautionsOf(recipe: Omit<Recipe, "calibration">): string[] {
  const { [recipe.method]: quantizer }: Record<string, Method> = methods;
  const cautions = methodsOf(recipe).flatMap((method) =>
    schemesOf(recipe).flatMap(({ scheme }) => method.caution?.(scheme, quantizer) ?? []),
  );
  return [...new Set(cautions)];
}

/** What defaults of a recipe hang on in its model. */
export interface RecipeModel extends ModelTables {
  /** Most tokens of a window. */
  readonly contextLength: number;
}

/**
 * Fills in what depends on the model: the length of windows, the schemes of embedding and head.
 * @throws UsageError when windows are longer than its context
 */
export function settleRecipe(parsed: ParsedRecipe, model: RecipeModel): Recipe {
  const { start = null } = parsed;
  const calibration = settleCalibration(parsed.calibration, model.contextLength);
  return { ...parsed, start, calibration, ...settleTables(parsed, model) };
}

/** Fills in the length of windows. @throws UsageError when longer than the model's context */
export function settleCalibration(
  calibration: ParsedRecipe["calibration"],
  contextLength: number,
): Recipe["calibration"] {
  if (!calibration) return null;
  const { window = Math.min(usualWindow, contextLength) } = calibration;
  expectWithinContext(window, contextLength, "calibration.window");
  return { ...calibration, window };
}

/** Embedding and output head are rounded to nearest, and their inputs stay floats. */
function expectTableScheme(scheme: Scheme, field: string): void {
  expectSupport(methods.rtn, scheme, field);
  if (scheme.activation === null) return;
  const message = `embedding and output head take a scheme of weights only, not ${scheme.id}`;
  const hint = `use ${withoutActivations(scheme).id}`;
  throw new UsageError(message, { hint, field, value: scheme.id });
}
