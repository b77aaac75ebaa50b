import type { z } from "zod";
import type { MethodId, methods, QuantizerId, TransformId } from "../methods/index.ts";
import type { RecipeInput } from "./recipe.ts";
import type { ResumeChoice } from "./resume.ts";

type OptionsOf<Id extends MethodId> = z.input<(typeof methods)[Id]["options"]>;

type Choice<Ids extends MethodId> = {
  [Id in Ids]: { readonly method: Id; readonly options?: OptionsOf<Id> };
}[Ids];

/** A quantizer and the options that it knows: the editor completes both. */
export type MethodChoice = Choice<QuantizerId>;

/** A transform, with the options that it knows or without any. */
export type TransformChoice = TransformId | Choice<TransformId>;

/** What to quantize to, and how: a recipe without its model, with the usual things written shorter. */
export type QuantizeOptions = Omit<
  RecipeInput,
  "model" | "transforms" | "method" | "options" | "calibration"
> &
  MethodChoice & {
    /** What is done to each block before it is quantized, in this order: `["awq"]`. */
    readonly transforms?: readonly TransformChoice[];
    /** A text or JSONL file, several, or all there is to say about calibration. */
    readonly calibration?: string | readonly string[] | NonNullable<RecipeInput["calibration"]>;
    /** Number of calibration windows. */
    readonly samples?: number;
    /** Tokens a calibration window. */
    readonly window?: number;
    /** Replace an existing output. */
    readonly overwrite?: boolean;
    /**
     * What to do when a run to the same output was interrupted. `auto` (default) goes on with it, and
     * refuses when it was another run; `restart` discards what it had done.
     */
    readonly resume?: ResumeChoice;
  };

/** Writes options as a recipe. */
export function toRecipe(model: string, options: QuantizeOptions): RecipeInput {
  const {
    method,
    transforms = [],
    scheme,
    out,
    ignore,
    layers,
    trueSequential,
    activationRange,
    seed,
  } = options;
  const { embedding, head, teacher } = options;
  return {
    model,
    transforms: transforms.map((choice) =>
      typeof choice === "string"
        ? { method: choice }
        : { ...choice, options: { ...choice.options } },
    ),
    method,
    scheme,
    out,
    options: { ...options.options },
    ...(ignore && { ignore }),
    ...(layers && { layers }),
    ...(embedding !== undefined && { embedding }),
    ...(head !== undefined && { head }),
    ...(teacher !== undefined && { teacher }),
    ...(trueSequential !== undefined && { trueSequential }),
    ...(activationRange && { activationRange }),
    ...(options.cacheDType && { cacheDType: options.cacheDType }),
    ...(options.cacheOnDisk !== undefined && { cacheOnDisk: options.cacheOnDisk }),
    ...(seed !== undefined && { seed }),
    calibration: calibrationOf(options),
  };
}

function calibrationOf({
  calibration,
  samples,
  window,
}: QuantizeOptions): NonNullable<RecipeInput["calibration"]> | null {
  if (calibration === undefined) return null;
  const sizes = {
    ...(samples !== undefined && { samples }),
    ...(window !== undefined && { window }),
  };
  if (typeof calibration === "string") return { files: [{ path: calibration }], ...sizes };
  if (isList(calibration)) return { files: calibration.map((path) => ({ path })), ...sizes };
  return { ...calibration, ...sizes };
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}
