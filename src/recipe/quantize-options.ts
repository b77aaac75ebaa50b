import type { z } from "zod";
import type { FinisherId, MethodId, methods, QuantizerId, TransformId } from "../methods/index.ts";
import type { Preset } from "./presets/define-preset.ts";
import { type PresetId, presets } from "./presets/index.ts";
import { UsageError } from "../util/errors.ts";
import { suggestName } from "../util/nearest.ts";
import { shortValue } from "../util/parse-value.ts";
import { type RecipeInput, recipeSchema } from "./recipe.ts";
import type { ResumeChoice } from "./resume-choice.ts";

type OptionsOf<Id extends MethodId> = z.input<(typeof methods)[Id]["options"]>;

type Choice<Ids extends MethodId> = {
  [Id in Ids]: { readonly method: Id; readonly options?: OptionsOf<Id> };
}[Ids];

/** A quantizer and the options that it knows: the editor completes both. */
export type MethodChoice = Choice<QuantizerId>;

/** A transform, with the options that it knows or without any. */
export type TransformChoice = TransformId | Choice<TransformId>;

/**
 * A finisher, with the options that it knows or without any, and text of its own where it is not
 * the calibration text.
 */
export type FinisherChoice =
  | FinisherId
  | (Choice<FinisherId> & { readonly data?: string | readonly string[] | CalibrationInput });

/** A preset, with options for its quantizer; finishers that are given replace the preset's. */
export type PresetChoice = {
  [Id in PresetId]: {
    readonly preset: Id;
    readonly method?: never;
    readonly options?: OptionsOf<(typeof presets)[Id]["method"]>;
  };
}[PresetId];

type CalibrationInput = NonNullable<RecipeInput["calibration"]>;

/** Fields of a recipe that options have too, in the same form. */
type SameFields = Omit<
  RecipeInput,
  "model" | "start" | "transforms" | "method" | "options" | "finishers" | "calibration"
>;

/** What to quantize to, and how: a recipe without its model, in shorter words. */
export type QuantizeOptions = SameFields &
  ((MethodChoice & { readonly preset?: never }) | PresetChoice) & {
    /**
     * The quantizer whose weights a method that trains blocks begins with, by default the one that
     * is usual for it; null: the beginning of the method's own.
     */
    readonly start?: QuantizerId | MethodChoice | null;
    /** What is done to each block before it is quantized, in this order: `["awq"]`. */
    readonly transforms?: readonly TransformChoice[];
    /** What is done to the quantized model, in this order: `["e2e-qp"]`. */
    readonly finishers?: readonly FinisherChoice[];
    /** A text or JSONL file, several, or all there is to say about calibration. */
    readonly calibration?: string | readonly string[] | CalibrationInput;
    /** Number of calibration windows. */
    readonly samples?: number;
    /** Tokens a calibration window. */
    readonly window?: number;
    /** Replace an existing output. */
    readonly overwrite?: boolean;
    /**
     * What to do when a run to the same output was interrupted. `auto` (default) resumes it, and
     * refuses when it was another run; `restart` discards what it had done.
     */
    readonly resume?: ResumeChoice;
    /** Folder where several runs keep what they have in common, so that it is worked out once. */
    readonly sharedFolder?: string;
  };

/**
 * Writes options as a recipe. What is not as the types have it stays as it is: the recipe's schema
 * says what is wrong with it.
 * @throws UsageError without a method or a preset that there is
 */
export function toRecipe(model: string, options: QuantizeOptions): RecipeInput {
  const preset = presetOf(options.preset);
  const method = options.method ?? preset?.method;
  if (!method) throw new UsageError("expected a method or a preset, got neither");
  const { transforms = preset?.transforms ?? [], finishers = preset?.finishers ?? [] } = options;
  return {
    ...recipeFieldsOf(options),
    model,
    method,
    options: options.options ?? {},
    ...(options.start !== undefined && { start: toStart(options.start) }),
    transforms: eachStep(transforms, (choice) => ({ ...choice, options: choice.options ?? {} })),
    finishers: eachStep(finishers, toFinisher),
    calibration: calibrationOf(options),
  };
}

function presetOf(id: PresetId | undefined): Preset | null {
  if (id === undefined) return null;
  if (Object.hasOwn(presets, id)) return presets[id];
  const known = Object.keys(presets);
  throw new UsageError(`there is no preset ${shortValue(id)}`, {
    hint: suggestName(String(id), known, `the presets are ${known.join(", ")}`),
    field: "preset",
    value: id,
  });
}

function toStart(start: NonNullable<QuantizeOptions["start"]> | null): RecipeInput["start"] {
  return typeof start === "string" ? { method: start } : start;
}

/** Writes each step of a list; one that is a name alone has no options. */
function eachStep<Step extends object>(
  steps: readonly (string | Step)[],
  write: (step: Step) => { readonly method: string },
): never[] {
  if (!Array.isArray(steps)) return steps as unknown as never[];
  return steps.map((step: unknown) => {
    if (typeof step === "string") return { method: step };
    return typeof step === "object" && step !== null ? write(step as Step) : step;
  }) as never[];
}

/** What stands in a recipe as it was given. */
function recipeFieldsOf(options: QuantizeOptions): SameFields {
  const given = Object.entries(options).filter(
    ([name, value]) => Object.hasOwn(recipeSchema.shape, name) && value !== undefined,
  );
  return Object.fromEntries(given) as unknown as SameFields;
}

function toFinisher({
  method,
  options,
  data,
}: Exclude<FinisherChoice, string>): NonNullable<RecipeInput["finishers"]>[number] {
  const calibration = data === undefined ? {} : { data: textOf(data) };
  return { method, options: options ?? {}, ...calibration };
}

function calibrationOf({ calibration, samples, window }: QuantizeOptions): CalibrationInput | null {
  if (calibration === undefined) return null;
  const sizes = {
    ...(samples !== undefined && { samples }),
    ...(window !== undefined && { window }),
  };
  const text = textOf(calibration);
  return typeof text === "object" && text !== null ? { ...text, ...sizes } : text;
}

function textOf(text: string | readonly string[] | CalibrationInput): CalibrationInput {
  if (typeof text === "string") return { files: [{ path: text }] };
  return isList(text) ? { files: text.map((path) => ({ path })) } : text;
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}
