import { z } from "zod";
import { type AverageId, averageIds } from "../../evaluation/tasks/averages.ts";
import { idsInRole } from "../../methods/index.ts";
import { type PresetId, presets } from "../../recipe/presets/index.ts";
import {
  allocationSchema,
  calibrationSchema,
  recipeSchema,
  schemeSchema,
  variantFields,
} from "../../recipe/recipe.ts";
import { checkpointVariantSchema, trainingVariantSchema } from "./other-variants.ts";
import { withoutDefaults } from "../../util/fields.ts";

const text = z.string().min(1);
const count = z.int().positive();

function oneOrList<S extends z.ZodType>(schema: S) {
  return z.union([schema, z.array(schema).min(1)]);
}

/** A field that may be left out, with a value or several. */
function severalOf<S extends z.ZodType>(schema: z.ZodOptional<S>) {
  const { description = "" } = schema;
  return oneOrList(schema.unwrap()).optional().describe(`${description}; or several`);
}

const modelSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[\w][\w.-]*$/, "expected letters, digits, dots and dashes")
    .describe("Short name of the model in tables and charts"),
  path: text.describe(
    "Checkpoint directory or GGUF file, from the recipe's folder; or hf:owner/name[:file.gguf]",
  ),
});

const calibrationFileSchema = z.union([
  text,
  z.strictObject({ path: text, weight: z.number().positive().optional() }),
]);

/** What a variant leaves out comes from the sweep, or else from the defaults of `quantize`. */
const sweepCalibrationSchema = withoutDefaults(calibrationSchema).extend({
  files: oneOrList(calibrationFileSchema)
    .optional()
    .describe("Text or JSONL files, from the recipe's folder, with weights in the mixture"),
});

const fields = withoutDefaults(variantFields);
const { options } = fields.shape;

/** A transform with options. */
export const transformStepSchema = z.strictObject({
  method: z.enum(idsInRole("transform")),
  options,
});

/** A finisher with options, or with text of its own. */
export const finisherStepSchema = z.strictObject({
  method: z.enum(idsInRole("finisher")),
  options,
  data: sweepCalibrationSchema.optional().describe("Text of its own"),
});

/** A start with options. */
export const startStepSchema = z.strictObject({ method: z.enum(idsInRole("quantizer")), options });

const ofAllocation = withoutDefaults(allocationSchema).shape;
const { targetSize, targetBpw, targetSpeed, targetEnergy, measure, search } = ofAllocation;

/** Bits chosen for each layer; of lists each value is a point. */
const sweepAllocationSchema = z.strictObject({
  ...ofAllocation,
  targetSize: severalOf(targetSize),
  targetBpw: severalOf(targetBpw),
  targetSpeed: severalOf(targetSpeed),
  targetEnergy: severalOf(targetEnergy),
  measure: severalOf(measure),
  search: severalOf(search),
  compareUniform: ofAllocation.compareUniform.describe(
    "Make the nearest uniform scheme, too, and keep the better one; default false",
  ),
});

/** One of the small grids that a sweep is made of. */
export const variantSchema = fields.extend({
  label: text.optional().describe("Name of the variant instead of its methods' ids"),
  method: oneOrList(z.enum(idsInRole("quantizer")))
    .optional()
    .describe("The quantizer, or several"),
  preset: oneOrList(z.enum(Object.keys(presets) as [PresetId, ...PresetId[]]))
    .optional()
    .describe("Methods that belong together, by one name, instead of method"),
  scheme: oneOrList(schemeSchema).optional().describe("Scheme of the linear layers, or several"),
  allocation: sweepAllocationSchema
    .optional()
    .describe("In the place of a scheme: one chosen for each layer, within a size or a speed"),
  start: z
    .union([z.enum(idsInRole("quantizer")), startStepSchema])
    .nullable()
    .optional()
    .describe("Quantizer whose weights the method begins with; null: none; default: the usual one"),
  transforms: z
    .array(z.union([z.enum(idsInRole("transform")), transformStepSchema]))
    .optional()
    .describe("Before the quantizer"),
  finishers: z
    .array(z.union([z.enum(idsInRole("finisher")), finisherStepSchema]))
    .optional()
    .describe("After the quantizer"),
  grid: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .optional()
    .describe("Options of the method with several values each: every combination is a point"),
  calibration: sweepCalibrationSchema
    .optional()
    .describe("What differs from the calibration of the sweep"),
  seeds: z.array(recipeSchema.shape.seed.unwrap()).min(1).optional().describe("Default [0]"),
  models: z.array(text).min(1).optional().describe("Ids of the models; all unless given"),
});

const textSchema = z.strictObject({
  file: text.describe("Text file, from the recipe's folder"),
  window: z.int().min(2).optional().describe("Tokens a window"),
  maxWindows: count.optional().describe("Stop after so many windows"),
  protocol: z.enum(["windows", "second-half"]).optional(),
  beyondContext: z
    .boolean()
    .optional()
    .describe("Allow windows longer than a model's context, on which it was never trained"),
});

const samplesSchema = z
  .strictObject({
    prompts: z.array(text).min(1).describe("Texts to continue"),
    tokens: count.default(40).describe("Tokens to generate for each at most"),
  })
  .describe("Texts that each point continues, greedily, to be read beside each other");

const generateSchema = z
  .strictObject({
    count: count.optional().describe("How many of the prompts, the first ones; all unless given"),
    prompts: text
      .optional()
      .describe("File of prompts in place of the built-in ones, from the recipe's folder"),
    maxTokens: count.default(128).describe("Tokens to write to each at most"),
    temperature: z.number().nonnegative().default(0).describe("0 takes the most likely token"),
    seed: recipeSchema.shape.seed.unwrap().default(0).describe("Seed of the draws"),
  })
  .describe("Prompts that each point and its original continue; {} for the built-in ones");

const evaluationSchema = z.strictObject({
  texts: z
    .array(z.union([text, textSchema]))
    .default([])
    .describe("Texts for perplexity and KL divergence; tables show the first"),
  tasks: z
    .array(text)
    .default([])
    .describe("Tasks: name=FILE, FILE, or a name whose file is in tasksFrom"),
  averages: z
    .array(z.enum(averageIds as [AverageId, ...AverageId[]]))
    .default([])
    .describe("Also the tasks of these averages, from tasksFrom"),
  tasksFrom: text.optional().describe("Folder of task files, from the recipe's folder"),
  shots: z
    .int()
    .nonnegative()
    .optional()
    .describe("Answered examples in front of each item; default 0"),
  shotsFrom: text.optional().describe("File that the examples come from"),
  limit: count.optional().describe("Only the first items of each task"),
  speedTokens: z
    .int()
    .nonnegative()
    .default(64)
    .describe("Tokens to generate for the decode speed; 0 leaves it out"),
  kl: z.boolean().default(true).describe("Compare with the original, token by token"),
  generate: generateSchema.optional(),
  samples: samplesSchema.optional(),
});

const exclusionSchema = z
  .strictObject({
    model: oneOrList(text),
    method: oneOrList(text),
    preset: oneOrList(text),
    scheme: oneOrList(text),
    label: oneOrList(text),
    seed: oneOrList(z.int()),
  })
  .partial();

/** A recipe of a sweep, as a person writes it. Paths are relative to its file. */
export const sweepRecipeSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z
    .string()
    .regex(/^[\w][\w. -]*$/, "expected letters, digits, spaces, dots and dashes")
    .describe("What tables and reports call the sweep"),
  models: z.array(modelSchema).min(1).describe("Originals; each is measured too"),
  variants: z
    .array(
      z.union([
        variantSchema.required({ scheme: true }),
        variantSchema.required({ allocation: true }),
        checkpointVariantSchema,
        trainingVariantSchema,
      ]),
    )
    .min(1)
    .describe("What is made of each model, or was: small grids, checkpoints, trainings"),
  calibration: sweepCalibrationSchema.optional().describe("Text to learn from, of all variants"),
  embedding: variantSchema.shape.embedding.describe(
    "Scheme of the embedding in all variants that name none; f16 keeps it",
  ),
  head: variantSchema.shape.head.describe(
    "Scheme of the output head in all variants that name none; f16 keeps it",
  ),
  evaluation: evaluationSchema.describe("What is measured of each point"),
  exclude: z
    .array(exclusionSchema)
    .default([])
    .describe("Points to leave out: those that fit all fields of an entry"),
  keep: z
    .boolean()
    .default(false)
    .describe("Keep the quantized checkpoints after they were measured"),
  retries: z
    .int()
    .nonnegative()
    .default(1)
    .describe("How often a point is tried again that failed for lack of memory, disk or network"),
});

/** A recipe of a sweep with its defaults. */
export type SweepRecipe = z.output<typeof sweepRecipeSchema>;
/** What a point is measured by, with absolute paths. */
export type PointEvaluation = Omit<SweepRecipe["evaluation"], "texts"> & {
  readonly texts: readonly z.output<typeof textSchema>[];
};
/** A recipe of a sweep as a person writes it. */
export type SweepRecipeInput = z.input<typeof sweepRecipeSchema>;
/** One of the small grids that a sweep is made of. */
export type SweepVariant = z.output<typeof variantSchema>;
/** Bits chosen for each layer as a variant has them. */
export type SweepAllocation = z.output<typeof sweepAllocationSchema>;
/** Calibration as a sweep's recipe has it: what is left out comes from elsewhere. */
export type SweepCalibration = z.output<typeof sweepCalibrationSchema>;
