import { absolutePath, joinPath } from "../../platform/node.ts";
import type { Method } from "../../methods/define-method.ts";
import { methodsInRole } from "../../methods/index.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { type PresetId, presets } from "../../recipe/presets/index.ts";
import type { Preset } from "../../recipe/presets/define-preset.ts";
import { chooseScheme } from "../../recipe/choose-scheme.ts";
import { mixtureOf, usualScheme } from "../../recipe/mixture-schemes.ts";
import { type QuantizeOptions, toRecipe } from "../../recipe/quantize-options.ts";
import { chainOf, type RecipeInput } from "../../recipe/recipe.ts";
import { chainName, expandCheckpoint, expandTraining } from "./expand-other-variants.ts";
import { type ExpandedAllocation, expandAllocation } from "./expand-allocation.ts";
import type { ExpandedPoint, Surroundings } from "./expanded-point.ts";
import type { GivenCheckpoint } from "./given-checkpoints.ts";
import type {
  PointEvaluation,
  SweepCalibration,
  SweepRecipe,
  SweepVariant,
} from "./sweep-recipe.ts";
import type { SweepPoint } from "../results/sweep-results.ts";

/**
 * Expands a recipe into its points, excluded ones too: of each model the original first, then
 * variant by variant. `at` gives the absolute path of one that the recipe names; `given` has the
 * checkpoints that it names, by the index of the variant.
 */
export function expandRecipe(
  recipe: SweepRecipe,
  at: (path: string) => string,
  given: ReadonlyMap<number, GivenCheckpoint>,
): ExpandedPoint[] {
  const evaluation = evaluationOf(recipe, at);
  return recipe.models.flatMap((model, index) => {
    const source = at(model.path);
    const original: ExpandedPoint = {
      point: {
        model: model.id,
        label: "original",
        method: null,
        preset: null,
        scheme: null,
        bits: 16,
        seed: 0,
      },
      work: { model: source, recipe: null, evaluation },
      path: `models[${index}]`,
      schemePath: `models[${index}]`,
    };
    const around = { recipe, at, source, evaluation, model: model.id };
    const made = recipe.variants.flatMap((variant, number): ExpandedPoint[] => {
      const path = `variants[${number}]`;
      const checkpoint = given.get(number);
      if (variant.models && !variant.models.includes(model.id)) return [];
      if (checkpoint) return [expandCheckpoint(variant.label, checkpoint, path, around)];
      if ("train" in variant) return [expandTraining(variant, path, around)];
      return "checkpoint" in variant ? [] : expandVariant(variant, path, around);
    });
    return [original, ...made];
  });
}

/** Tells whether a point fits all fields of an exclusion. */
export function isExcluded(
  point: Omit<SweepPoint, "id">,
  exclusion: SweepRecipe["exclude"][number],
): boolean {
  const fields = Object.entries(exclusion).filter(([, wanted]) => wanted !== undefined);
  return fields.every(([name, wanted]) => {
    const value = point[name as keyof typeof exclusion];
    return listOf(wanted as string | number | (string | number)[]).includes(value ?? "");
  });
}

function expandVariant(variant: SweepVariant, path: string, around: Surroundings): ExpandedPoint[] {
  const chains = variant.preset
    ? listOf(variant.preset).map((preset) => ({ preset: preset as PresetId }))
    : listOf(variant.method ?? []).map((method) => ({ method }));
  const seeds = variant.seeds ?? [0];
  return chains.flatMap((chain) =>
    bitsOf(variant, path, around).flatMap(({ schemePath, ...bits }) =>
      combinations(variant.grid ?? {}).flatMap((chosen) =>
        seeds.map((seed): ExpandedPoint => {
          const choice = { chain, ...bits, chosen, seed };
          const recipe = makeRecipe(variant, choice, around);
          return {
            point: { model: around.model, ...describe(variant, recipe, choice) },
            work: { model: around.source, recipe, evaluation: around.evaluation },
            path,
            schemePath,
          };
        }),
      ),
    ),
  );
}

/** The schemes of a variant, or the allocations that it has in their place. */
function bitsOf(
  { scheme, allocation }: SweepVariant,
  path: string,
  { at }: Surroundings,
): (Pick<Choice, "scheme" | "allocated"> & { readonly schemePath: string })[] {
  const allocations = allocation ? expandAllocation(allocation, at) : [];
  return [
    ...listOf(scheme ?? []).map((id, i) => ({
      scheme: id,
      allocated: null,
      schemePath: `${path}.scheme${Array.isArray(scheme) ? `[${i}]` : ""}`,
    })),
    ...allocations.map((allocated) => ({
      scheme: undefined,
      allocated,
      schemePath: `${path}.allocation`,
    })),
  ];
}

/** What a point has of all that its variant may have. */
interface Choice {
  readonly chain: { readonly preset?: PresetId; readonly method?: string };
  /** Scheme of all layers; undefined where an allocation chooses. */
  readonly scheme: string | undefined;
  readonly allocated: ExpandedAllocation | null;
  /** Options of the grid. */
  readonly chosen: Readonly<Record<string, unknown>>;
  readonly seed: number;
}

function makeRecipe(
  variant: SweepVariant,
  { chain, scheme, allocated, chosen, seed }: Choice,
  { recipe, at, source }: Surroundings,
): RecipeInput {
  const { finishers } = variant;
  // Text that all variants share is not meant for one that runs no model.
  const shared = variant.generic ? {} : recipe.calibration;
  const [quantizer]: readonly (Method | undefined)[] = methodsInRole("quantizer").filter(
    ({ id }) => id === chain.method,
  );
  const isWriting = quantizer?.writesText ?? false;
  const tables = variant.generic ? {} : { embedding: recipe.embedding, head: recipe.head };
  const given = {
    ...defined(tables),
    ...defined(variant),
    ...chain,
    scheme,
    allocation: allocated?.allocation,
    options: { ...variant.options, ...chosen },
    seed,
    out: "out",
    finishers: finishers?.map((finisher) =>
      typeof finisher === "string" || !finisher.data
        ? finisher
        : { ...finisher, data: calibrationOf(finisher.data, at) },
    ),
    calibration: calibrationOf({ ...shared, ...variant.calibration }, at, isWriting) ?? undefined,
  };
  // The form was checked by the recipe's schema, whose ids are those of the registries.
  return toRecipe(source, given as unknown as QuantizeOptions);
}

function defined<T extends object>(values: T): Partial<T> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}

/** Fills in paths; null where there is neither a file nor text that the model writes itself. */
function calibrationOf(
  { files, imageEmbeddings: images, ...rest }: SweepCalibration,
  at: (path: string) => string,
  isWriting = false,
): RecipeInput["calibration"] {
  if (!files && !rest.selfGenerated && !isWriting) return null;
  const listed = listOf(files ?? []).map((file) =>
    typeof file === "string"
      ? { path: at(file) }
      : defined({ path: at(file.path), weight: file.weight }),
  );
  const imageEmbeddings = images === undefined ? undefined : at(images);
  return defined({ ...rest, imageEmbeddings, files: listed }) as RecipeInput["calibration"];
}

function describe(
  variant: SweepVariant,
  recipe: RecipeInput,
  { chain, scheme, allocated, chosen, seed }: Choice,
): Omit<SweepPoint, "id" | "model"> {
  const method = chainName(recipe);
  const details = [
    ...(allocated?.details ?? []),
    ...Object.entries(chosen).map(([name, value]) => `${name}=${JSON.stringify(value)}`),
    ...(variant.start === undefined ? [] : [`start ${describeStart(variant.start)}`]),
    ...(variant.embedding ? [`embedding ${variant.embedding}`] : []),
    ...(variant.head ? [`head ${variant.head}`] : []),
    ...((variant.seeds ?? []).length > 1 ? [`seed ${seed}`] : []),
  ];
  const name = variant.label ?? chain.preset ?? method;
  const { written, ...read } = allocated
    ? { scheme: allocated.targets, bits: allocated.bits, written: allocated.targets }
    : readScheme(scheme ?? "", recipe);
  return {
    label: [name, written, ...details].join(" "),
    method,
    preset: chain.preset ?? null,
    ...read,
    seed,
  };
}

function describeStart(start: NonNullable<SweepVariant["start"]> | null): string {
  if (start === null || typeof start === "string") return start ?? "none";
  const options = Object.entries(start.options ?? {});
  return [start.method, ...options.map(([name, value]) => `${name}=${JSON.stringify(value)}`)].join(
    " ",
  );
}

/**
 * The canonical id and bits of what a scheme means to the methods, and how labels write it; what
 * does not parse is refused later, with its place.
 */
function readScheme(
  id: string,
  recipe: RecipeInput,
): { scheme: string; bits: number; written: string } {
  try {
    if (mixtureOf(id)) return { scheme: id, bits: usualScheme(id).grid.bits, written: id };
    const chosen = chooseScheme(id, chainOf(recipe));
    const written = chosen.grid === parseScheme(id).grid ? id : chosen.id;
    return { scheme: chosen.id, bits: chosen.grid.bits, written };
  } catch {
    return { scheme: id, bits: 0, written: id };
  }
}

function evaluationOf({ evaluation }: SweepRecipe, at: (path: string) => string): PointEvaluation {
  const { texts, tasks, tasksFrom, shotsFrom, generate } = evaluation;
  return {
    ...evaluation,
    texts: texts.map((text) =>
      typeof text === "string" ? { file: at(text) } : { ...text, file: at(text.file) },
    ),
    tasks: tasks.map((task) => taskAt(task, at)),
    ...(tasksFrom !== undefined && { tasksFrom: at(tasksFrom) }),
    ...(shotsFrom !== undefined && { shotsFrom: at(shotsFrom) }),
    ...(generate?.prompts !== undefined && {
      generate: { ...generate, prompts: at(generate.prompts) },
    }),
  };
}

/** `name=FILE` and `FILE` with the path of the file; a task's name as it is. */
function taskAt(task: string, at: (path: string) => string): string {
  const { id, file } = /^(?<id>\w+)=(?<file>.+)$/s.exec(task)?.groups ?? {};
  if (file !== undefined) return `${id}=${at(file)}`;
  return /^\w+$/.test(task) ? task : at(task);
}

/** All ways to choose one value of each option. */
function combinations(
  grid: Readonly<Record<string, readonly unknown[]>>,
): Record<string, unknown>[] {
  let chosen: Record<string, unknown>[] = [{}];
  for (const [name, values] of Object.entries(grid)) {
    chosen = chosen.flatMap((before) => values.map((value) => ({ ...before, [name]: value })));
  }
  return chosen;
}

/** Gives the absolute path of one that a recipe in this folder names; `hf:` names stay. */
export function resolveSource(folder: string, path: string): string {
  if (path.startsWith("hf:")) return path;
  return absolutePath(path) === path ? path : joinPath(folder, path);
}

/** A value, or several, as a list. */
export function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}

/** The chain that a variant's preset names; null without one. */
export function presetOf(id: string): Preset {
  return presets[id as PresetId];
}
