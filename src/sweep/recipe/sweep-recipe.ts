import { z } from "zod";
import { rangeEstimators } from "../../calibration/statistics/activation-ranges.ts";
import { type AverageId, averageIds } from "../../evaluation/tasks/averages.ts";
import type { MethodRole } from "../../methods/define-method.ts";
import { methods } from "../../methods/index.ts";
import { presets } from "../../recipe/presets/index.ts";
import { calibrationSchema } from "../../recipe/recipe.ts";
import { checkpointVariantSchema, trainingVariantSchema } from "./other-variants.ts";

const text = z.string().min(1);
const count = z.number().int().positive();

/** Ids of the methods that stand at one place of a chain. */
function idsOf(role: MethodRole): [string, ...string[]] {
  const ids = Object.values(methods).filter((method) => method.role === role);
  return ids.map(({ id }) => id) as [string, ...string[]];
}

function oneOrList<S extends z.ZodType>(schema: S) {
  return z.union([schema, z.array(schema).min(1)]);
}

/** The id of a scheme. */
export const schemeSchema = text.describe("Scheme id, such as w4g128, w2g64, w3-sym, w1.58 or w1");
const options = z
  .record(z.string(), z.unknown())
  .describe("Options of the method, by the names that docs/methods and the help text give");

const modelSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[\w][\w.-]*$/, "expected letters, digits, dots and dashes")
    .describe("Short name of the model in tables and charts"),
  path: text.describe("Directory of the checkpoint, from the recipe's folder; or hf:owner/name"),
});

const calibrationFileSchema = z.union([
  text,
  z.strictObject({ path: text, weight: z.number().positive().optional() }),
]);

const { selfGenerated, samples, window, order, bos, allowFewer } = calibrationSchema.shape;

/**
 * Without defaults: what a variant leaves out comes from the sweep, and what that leaves out from
 * `quantize`.
 */
const sweepCalibrationSchema = z.strictObject({
  files: oneOrList(calibrationFileSchema)
    .optional()
    .describe("Text or JSONL files, from the recipe's folder, with weights in the mixture"),
  selfGenerated: selfGenerated
    .unwrap()
    .optional()
    .describe("Let the model write the text; default false"),
  samples: samples.unwrap().optional().describe("Number of windows; default 128"),
  window: window.describe("Tokens a window; default 512, or the model's context"),
  order: order.unwrap().optional().describe("The first windows, or random ones; default first"),
  bos: bos.unwrap().optional().describe("The start token once, or in each window; default once"),
  allowFewer: allowFewer.unwrap().optional().describe("Continue with fewer windows; default false"),
});

/** A transform with options. */
export const transformStepSchema = z.strictObject({
  method: z.enum(idsOf("transform")),
  options: options.optional(),
});

/** A finisher with options, or with text of its own. */
export const finisherStepSchema = z.strictObject({
  method: z.enum(idsOf("finisher")),
  options: options.optional(),
  data: sweepCalibrationSchema.optional().describe("Text of its own"),
});

/** One of the small grids that a sweep is made of. */
export const variantSchema = z.strictObject({
  label: text.optional().describe("Name of the variant instead of its methods' ids"),
  method: oneOrList(z.enum(idsOf("quantizer")))
    .optional()
    .describe("The quantizer, or several"),
  preset: oneOrList(z.enum(Object.keys(presets) as [string, ...string[]]))
    .optional()
    .describe("Methods that belong together, by one name, instead of method"),
  scheme: oneOrList(schemeSchema).describe("Scheme of the linear layers, or several"),
  transforms: z
    .array(z.union([z.enum(idsOf("transform")), transformStepSchema]))
    .optional()
    .describe("Before the quantizer"),
  finishers: z
    .array(z.union([z.enum(idsOf("finisher")), finisherStepSchema]))
    .optional()
    .describe("After the quantizer"),
  options: options.optional(),
  grid: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .optional()
    .describe("Options of the method with several values each: every combination is a point"),
  embedding: schemeSchema.optional().describe("Scheme of the embedding; as it is unless given"),
  head: schemeSchema.optional().describe("Scheme of the output head; as it is unless given"),
  ignore: z.array(text).optional().describe("Patterns of linear layers that stay as they are"),
  layers: z
    .array(z.strictObject({ pattern: text, scheme: schemeSchema }))
    .optional()
    .describe("Linear layers with a scheme of their own"),
  trueSequential: z.boolean().optional(),
  activationRange: z.enum(rangeEstimators).optional(),
  calibration: sweepCalibrationSchema
    .optional()
    .describe("What differs from the calibration of the sweep"),
  seeds: z.array(z.number().int().nonnegative()).min(1).optional().describe("Default [0]"),
  models: z.array(text).min(1).optional().describe("Ids of the models; all unless given"),
});

const textSchema = z.strictObject({
  file: text.describe("Text file, from the recipe's folder"),
  window: z.number().int().min(2).optional().describe("Tokens a window"),
  maxWindows: count.optional().describe("Stop after so many windows"),
  protocol: z.enum(["windows", "second-half"]).optional(),
});

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
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe("Answered examples in front of each item; default 0"),
  shotsFrom: text.optional().describe("File that the examples come from"),
  limit: count.optional().describe("Only the first items of each task"),
  speedTokens: z
    .number()
    .int()
    .nonnegative()
    .default(64)
    .describe("Tokens to generate for the decode speed; 0 leaves it out"),
  kl: z.boolean().default(true).describe("Compare with the original, token by token"),
});

const exclusionSchema = z
  .strictObject({
    model: oneOrList(text),
    method: oneOrList(text),
    preset: oneOrList(text),
    scheme: oneOrList(text),
    label: oneOrList(text),
    seed: oneOrList(z.number().int()),
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
    .array(z.union([variantSchema, checkpointVariantSchema, trainingVariantSchema]))
    .min(1)
    .describe("What is made of each model, or was: small grids, checkpoints, trainings"),
  calibration: sweepCalibrationSchema.optional().describe("Text to learn from, of all variants"),
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
    .number()
    .int()
    .nonnegative()
    .default(1)
    .describe("How often a point is tried again that failed for lack of memory, disk or network"),
});

/** A recipe of a sweep with its defaults. */
export type SweepRecipe = z.output<typeof sweepRecipeSchema>;
/** A recipe of a sweep as a person writes it. */
export type SweepRecipeInput = z.input<typeof sweepRecipeSchema>;
/** One of the small grids that a sweep is made of. */
export type SweepVariant = z.output<typeof variantSchema>;
/** Calibration as a sweep's recipe has it: what is left out comes from elsewhere. */
export type SweepCalibration = z.output<typeof sweepCalibrationSchema>;
