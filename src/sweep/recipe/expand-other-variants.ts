import { usualScheme } from "../../recipe/mixture-schemes.ts";
import type { RecipeInput } from "../../recipe/recipe.ts";
import type { TrainConfigInput } from "../../train/pretrain-config.ts";
import type { ExpandedPoint, Surroundings } from "./expanded-point.ts";
import type { GivenCheckpoint } from "./given-checkpoints.ts";
import type { TrainingVariant } from "./other-variants.ts";

/** Stands in the place of a method where a point is a float model that was trained. */
const trainMethod = "train";
const floatModel = { method: trainMethod, preset: null, scheme: null, bits: 16 } as const;

/** Makes the point of a checkpoint that is there already: what it is says its record. */
export function expandCheckpoint(
  label: string | undefined,
  given: GivenCheckpoint,
  path: string,
  { source, evaluation, model }: Surroundings,
): ExpandedPoint {
  const { run, directory } = given;
  const work = { model: source, recipe: null, checkpoint: directory, evaluation };
  const place = { path, schemePath: path, given };
  if ("config" in run) {
    const { seed } = run.config;
    const point = { model, label: label ?? trainMethod, ...floatModel, seed };
    return { point, work, ...place };
  }
  const { seed } = run.recipe;
  const { scheme } = run.recipe;
  const { grid } = usualScheme(scheme);
  const method = chainName(run.recipe);
  const named = { label: `${label ?? method} ${scheme}`, method, preset: null };
  return { point: { model, ...named, scheme, bits: grid.bits, seed }, work, ...place };
}

/** Makes the point of an original that is trained further. */
export function expandTraining(
  { label = trainMethod, train }: TrainingVariant,
  path: string,
  { source, evaluation, model, at }: Surroundings,
): ExpandedPoint {
  const { data, validation } = train;
  const training: TrainConfigInput = {
    ...train,
    from: source,
    data: { ...data, files: (data?.files ?? []).map(at) },
    ...(validation && { validation: { ...validation, files: validation.files.map(at) } }),
  };
  return {
    point: { model, label, ...floatModel, seed: train.seed ?? 0 },
    work: { model: source, recipe: null, training, evaluation },
    path,
    schemePath: path,
  };
}

/** Ids of a recipe's methods in the order in which they run, joined by `+`. */
export function chainName({
  transforms = [],
  method,
  finishers = [],
}: Pick<RecipeInput, "transforms" | "method" | "finishers">): string {
  return [...transforms, { method }, ...finishers].map((step) => step.method).join("+");
}
