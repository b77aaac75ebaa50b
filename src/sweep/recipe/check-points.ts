import { isGgufPath } from "../../formats/gguf/gguf-checkpoint.ts";
import type { Method } from "../../methods/define-method.ts";
import { methods } from "../../methods/index.ts";
import { status } from "../../platform/node.ts";
import { hasFixedActivations } from "../../quant/scheme.ts";
import { usualScheme } from "../../recipe/mixture-schemes.ts";
import type { FewbitError } from "../../util/errors.ts";
import { suggestName } from "../../util/nearest.ts";
import { parseTrainConfig } from "../../train/pretrain-config.ts";
import { needsText } from "../../recipe/needs-text.ts";
import { parseRecipe } from "../../recipe/parse-recipe.ts";
import { isExcluded, listOf, presetOf } from "./expand-recipe.ts";
import type { ExpandedPoint } from "./expanded-point.ts";
import type { CheckpointVariant, TrainingVariant } from "./other-variants.ts";
import { fault, faultAt } from "./recipe-source.ts";
import type { SweepRecipe, SweepVariant } from "./sweep-recipe.ts";

/** Checks names, methods and their options. @throws UsageError that names the field */
export function checkRecipe(recipe: SweepRecipe): void {
  checkModels(recipe);
  for (const [index, variant] of recipe.variants.entries()) {
    const path = `variants[${index}]`;
    checkModelNames(recipe, variant.models ?? [], path);
    if ("train" in variant) checkTraining(variant, path);
    else if ("checkpoint" in variant) checkCheckpoint(recipe, variant, path);
    else checkVariant(variant, path);
  }
  const { texts, tasks, averages, generate } = recipe.evaluation;
  if (texts.length + tasks.length + averages.length === 0 && !generate) {
    throw fault("evaluation", "there is neither a text nor a task nor a prompt to measure on");
  }
}

function checkModels({ models }: SweepRecipe): void {
  for (const [index, { id }] of models.entries()) {
    if (models.findIndex((other) => other.id === id) === index) continue;
    throw fault(`models[${index}].id`, `there are two models ${id}`, "rename one");
  }
}

function checkModelNames({ models }: SweepRecipe, names: readonly string[], path: string): void {
  const ids = models.map(({ id }) => id);
  for (const [i, id] of names.entries()) {
    if (ids.includes(id)) continue;
    const hint = suggestName(id, ids, `models are ${ids.join(", ")}`);
    throw fault(`${path}.models[${i}]`, `there is no model ${id}`, hint);
  }
}

/** A checkpoint was made from one model. */
function checkCheckpoint({ models }: SweepRecipe, variant: CheckpointVariant, path: string): void {
  const { length } = variant.models ?? models;
  if (length === 1) return;
  throw fault(path, `a checkpoint belongs to one model, not to ${length}`, "name that one: models");
}

function checkTraining({ train }: TrainingVariant, path: string): void {
  try {
    parseTrainConfig({ ...train, from: "the original" });
  } catch (error) {
    throw faultAt(`${path}.train`, error);
  }
}

function checkVariant(variant: SweepVariant, path: string): void {
  if ((variant.method === undefined) === (variant.preset === undefined)) {
    const what = variant.method === undefined ? "neither a method nor a preset" : "both";
    throw fault(path, `expected a method or a preset, got ${what}`);
  }
  if (variant.scheme !== undefined && variant.allocation !== undefined) {
    throw fault(path, "expected a scheme or an allocation, got both");
  }
  checkSpeedTarget(variant, path);
  const quantizers = variant.preset
    ? listOf(variant.preset).map((id) => presetOf(id).method)
    : listOf(variant.method ?? []);
  for (const id of quantizers) checkOptions(variant, methodOf(id), path);
  checkSteps(variant, path);
}

/** Points are the same on every machine, so a speed is that of a machine with a name. */
function checkSpeedTarget({ allocation }: SweepVariant, path: string): void {
  if (allocation?.targetSpeed === undefined || allocation.machine) return;
  throw fault(
    `${path}.allocation.targetSpeed`,
    "speeds are foreseen by the table of one machine, and none is named",
    "name its file: machine; `fewbit measure-machine` writes one",
  );
}

/** The options of the quantizer, fixed ones and those with several values. */
function checkOptions(variant: SweepVariant, method: Method, path: string): void {
  for (const field of ["options", "grid"] as const) {
    for (const name of Object.keys(variant[field] ?? {})) {
      expectOption(method, name, `${path}.${field}.${name}`);
      if (field === "grid" && variant.options?.[name] !== undefined) {
        throw fault(`${path}.${field}.${name}`, "stands under options too");
      }
    }
  }
}

/** The options of start, transforms and finishers. */
function checkSteps(variant: SweepVariant, path: string): void {
  const { start } = variant;
  if (typeof start === "object") {
    for (const name of Object.keys(start?.options ?? {})) {
      expectOption(methodOf(start?.method ?? ""), name, `${path}.start.options.${name}`);
    }
  }
  for (const field of ["transforms", "finishers"] as const) {
    for (const [i, step] of (variant[field] ?? []).entries()) {
      if (typeof step === "string") continue;
      for (const name of Object.keys(step.options ?? {})) {
        expectOption(methodOf(step.method), name, `${path}.${field}[${i}].options.${name}`);
      }
    }
  }
}

function expectOption(method: Method, name: string, path: string): void {
  const known = Object.keys(method.options.shape);
  if (known.includes(name)) return;
  const all = known.length > 0 ? `it has ${known.join(", ")}` : "it has none";
  throw fault(path, `${method.title} has no such option`, suggestName(name, known, all));
}

function checkPoint({ work, path, schemePath }: ExpandedPoint): void {
  if (!work.recipe) return;
  try {
    parseRecipe(work.recipe);
  } catch (error) {
    const { field = "" } = error as FewbitError;
    const isOwn = /^(embedding|head|layers|allocation)\b/.test(field);
    throw faultAt(field === "scheme" ? schemePath : isOwn ? `${path}.${field}` : path, error);
  }
}

/**
 * Checks points: each scheme with its methods, by the same rules as `fewbit quantize`, and that
 * names differ.
 * @throws UsageError that names the field
 */
export function checkPoints(points: readonly ExpandedPoint[]): void {
  for (const point of points) checkPoint(point);
  checkNames(points);
}

/** Two points of one name could not be told apart. */
function checkNames(points: readonly ExpandedPoint[]): void {
  const seen = new Map<string, ExpandedPoint>();
  for (const each of points) {
    const { model, label } = each.point;
    const key = JSON.stringify([model, label]);
    const other = seen.get(key);
    if (other) {
      const where = other.path === each.path ? "" : `, the other in ${other.path}`;
      throw fault(
        each.path,
        `${model} has two points called ${label}${where}`,
        "leave one out, or give one of them a label",
      );
    }
    seen.set(key, each);
  }
}

/**
 * Leaves out what the recipe excludes.
 * @throws UsageError for an entry that matches no point (a typing error), and when nothing is left
 */
export function selectPoints(
  { exclude }: SweepRecipe,
  points: readonly ExpandedPoint[],
): ExpandedPoint[] {
  for (const [i, exclusion] of exclude.entries()) {
    const path = `exclude[${i}]`;
    if (Object.keys(exclusion).length === 0) throw fault(path, "has no field");
    if (points.some(({ point }) => isExcluded(point, exclusion))) continue;
    throw fault(path, "fits no point of the sweep");
  }
  const kept = points.filter(
    ({ point }) => !exclude.some((exclusion) => isExcluded(point, exclusion)),
  );
  if (kept.length > 0) return kept;
  throw fault("exclude", "leaves out every point");
}

/** Drops the calibration text of points that do not read it: it would only cost time. */
export function spareCalibration(each: ExpandedPoint): ExpandedPoint {
  const { work, point } = each;
  if (!work.recipe || work.recipe.allocation || !point.scheme) return each;
  const { layers = [] } = work.recipe;
  const schemes = [point.scheme, ...layers.map(({ scheme }) => scheme)].map(usualScheme);
  const reads = (point.method ?? "").split("+").some((id) => needsText(methodOf(id)));
  if (reads || schemes.some(hasFixedActivations)) return each;
  return { ...each, work: { ...work, recipe: { ...work.recipe, calibration: null } } };
}

/** @throws UsageError where a file of the recipe is missing */
export async function checkFiles(files: readonly NamedFile[]): Promise<void> {
  for (const { file, kind, path } of files) {
    const found = await status(file);
    const isModel = found?.kind === "directory" || (found?.kind === "file" && isGgufPath(file));
    if (kind === "model" ? isModel : found?.kind === "file") continue;
    const expected = kind === "model" ? "neither a directory nor a GGUF file" : "not a file";
    const message = found === null ? `there is no ${file}` : `${file} is ${expected}`;
    throw fault(path, message, "paths are relative to the recipe's folder");
  }
}

/** A file that a recipe names. */
export interface NamedFile {
  readonly file: string;
  /** A model is a directory or a GGUF file. */
  readonly kind: "file" | "model";
  readonly path: string;
}

function methodOf(id: string): Method {
  return (methods as Readonly<Record<string, Method>>)[id];
}
