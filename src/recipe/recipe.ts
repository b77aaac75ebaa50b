import { z } from "zod";
import { rangeEstimators } from "../calibration/statistics/activation-ranges.ts";
import type { Method } from "../methods/define-method.ts";
import { damageMeasures } from "../methods/shared/allocation/damage-measure.ts";
import { searchIds } from "../methods/allocation-searches.ts";
import { idsInRole, type MethodId, methods } from "../methods/index.ts";
import { presets } from "./presets/index.ts";
import { kvRoundings } from "../quant/activation-grid.ts";
import { usualTableScheme } from "../quant/usual-table-scheme.ts";
import { byteSize } from "../util/byte-size.ts";
import { type Field, fieldsIn, fieldsOf, kebabCase, makeField } from "../util/fields.ts";

/*
 * Each field of a recipe is declared here and nowhere else: the flags of `fewbit quantize` with
 * their help, the options of the library, the fields of a sweep's variants with their JSON schema,
 * and the commands that reproduce a point follow from it.
 */

const field = fieldsIn("What to do:");
const ofCalibration = fieldsIn("Calibration:");
const ofAllocation = fieldsIn("Bits chosen for each layer:");
const ofFinishers = fieldsIn("Text of finishers, where it is not the calibration text:");
const methodIds = Object.keys(methods) as [MethodId, ...MethodId[]];
const text = z.string().min(1);

/** The id of a scheme. */
export const schemeSchema = text.describe("Scheme id, such as w4g128, w2g64, w3-sym, w1.58 or w1");
/** The scheme of embedding or output head, or `f16`. */
export const tableSchema = text.describe("Scheme id, such as w8g64-sym, or f16");

/** Options of a method; its own schema checks them. */
const options = z
  .record(z.string(), z.unknown())
  .default({})
  .describe("Options of the method, by the names that docs/methods and the help text give");

/** Where calibration text comes from. */
export const calibrationSchema = z.object({
  files: ofCalibration(
    z.array(z.object({ path: text, weight: z.number().positive().default(1) })).default([]),
    "Text or JSONL to learn from, mixed by weight",
    { flag: "calibration", unit: "file[=weight]", isPath: true, common: true },
  ),
  selfGenerated: ofCalibration(
    z.boolean().default(false),
    "Let the model write the calibration text itself",
    { flag: "self-calibration" },
  ),
  selfGeneratedForm: ofCalibration(
    z.enum(["text", "chat"]).default("text"),
    "What it writes: text, or conversations by its chat template, both sides of them",
    { flag: "self-calibration-form" },
  ),
  imageEmbeddings: ofCalibration(
    text.nullable().default(null),
    "Embeddings of the images that conversations show, a safetensors file with a tensor for each",
    { unit: "file", isPath: true, otherwise: "no images" },
  ),
  template: ofCalibration(
    text.nullable().default(null),
    "Which of the model's chat templates writes conversations",
    { flag: "chat-template", unit: "name", otherwise: "the usual one" },
  ),
  samples: ofCalibration(z.int().positive().default(128), "Number of windows", {
    unit: "n",
    common: true,
  }),
  window: ofCalibration(z.int().min(2).optional(), "Tokens a window", {
    unit: "tokens",
    otherwise: "512, or the context",
    common: true,
  }),
  order: ofCalibration(
    z.enum(["first", "random"]).default("first"),
    "Take the first windows, or draw them",
  ),
  bos: ofCalibration(
    z.enum(["once", "each"]).default("once"),
    "Start token at the very start, or in each window",
  ),
  allowFewer: ofCalibration(
    z.boolean().default(false),
    "Continue with fewer windows when the text is short",
  ),
});

/** Schemes chosen for each layer by what they harm, within budgets. */
export const allocationSchema = z.object({
  targetSize: field(byteSize.optional(), "Bits of each layer chosen to fit, such as 90MB", {
    unit: "size",
    common: true,
  }),
  targetBpw: ofAllocation(
    z.number().positive().optional(),
    "Bits a weight of the linear layers at most, all that is stored counted",
    { unit: "bits" },
  ),
  targetSpeed: ofAllocation(
    z.number().positive().optional(),
    "Tokens a second to decode at least, on the machine whose kernels were timed",
    { unit: "tokens" },
  ),
  targetEnergy: ofAllocation(z.number().positive().optional(), "Joules a token at most", {
    unit: "joules",
  }),
  machine: ofAllocation(
    text.nullable().default(null),
    "Table of `fewbit measure-machine` that speeds are foreseen by",
    { unit: "file", isPath: true, otherwise: "that of this machine" },
  ),
  choices: ofAllocation(
    z.array(text).default([]),
    "Schemes that layers may get, such as w2g64,w4g64; or types of ggml: q2_k,q4_k",
    { unit: "ids", otherwise: "2, 3, 4, 8 bits" },
  ),
  measure: ofAllocation(
    z.enum(damageMeasures).default("fisher"),
    "How the harm of a scheme to a layer is foreseen",
    { flag: "damage" },
  ),
  samples: ofAllocation(z.int().positive().default(32), "Windows of text to measure that on", {
    flag: "damage-samples",
    unit: "n",
  }),
  pairs: ofAllocation(
    z.boolean().default(false),
    "Measure layers of one block together, too, where both have the fewest bits",
    { flag: "damage-pairs" },
  ),
  search: ofAllocation(
    z.enum(searchIds).default("knapsack"),
    "How to search: exactly by what was foreseen, or by trials on the model behind that",
  ),
  searchOptions: ofAllocation(
    z.array(z.object({ name: text, value: text })).default([]),
    "Options of the search, such as generations=50",
    { flag: "search-option", unit: "name=value", example: "generations=50" },
  ),
  tables: ofAllocation(
    z.enum(["keep", "choose"]).optional(),
    "Whether embedding and output head get schemes, too, where none is named",
    { flag: "allocate-tables", otherwise: "choose with a target size, else keep" },
  ),
  stateFile: ofAllocation(
    text.nullable().default(null),
    "File that keeps what was measured: another target takes it from there",
    { unit: "file", isPath: true, otherwise: "OUT.allocation.json" },
  ),
  compareUniform: ofAllocation(
    z.boolean().default(true),
    "Make the nearest uniform scheme, too, measure both, and keep the better one",
    { off: "keep the allocation without measuring a uniform scheme beside it" },
  ),
  heldOut: ofAllocation(
    z.int().min(2).default(32),
    "Windows of text, behind those of the calibration, that both are measured on",
    { flag: "held-out", unit: "n" },
  ),
});

/** A method that changes blocks before they are quantized. */
const transformSchema = z.object({ method: z.enum(methodIds), options });

/** A method that trains the quantized model further, on text of its own unless that is null. */
const finisherSchema = transformSchema.extend({
  data: calibrationSchema.nullable().default(null),
});

/** A serialisable plan of one quantization, in the order of the help text. */
export const recipeSchema = z.object({
  model: text,
  method: field(z.enum(methodIds), "How to choose the low-bit weights", {
    choices: idsInRole("quantizer"),
    known: [...methodIds, ...Object.keys(presets)],
    common: true,
  }),
  options,
  start: field(
    z
      .object({ method: z.enum(methodIds), options })
      .nullable()
      .optional(),
    "Quantizer whose weights a method that trains blocks begins with",
    { choices: idsInRole("quantizer"), known: methodIds, otherwise: "by method and scheme" },
  ),
  transforms: field(z.array(transformSchema).default([]), "Prepare the weights in turn", {
    flag: "transform",
    choices: idsInRole("transform"),
    known: methodIds,
    common: true,
  }),
  finishers: field(
    z.array(finisherSchema).default([]),
    "Train the quantized model further, in this order",
    { flag: "finish", choices: idsInRole("finisher"), known: methodIds, common: true },
  ),
  scheme: field(text, "Bits and group (w4g128), or a mixture (Q4_K_M)", {
    unit: "id",
    common: true,
  }),
  out: field(text, "Directory to write, or a GGUF file (name.gguf)", {
    unit: "dir",
    isPath: true,
    common: true,
  }),
  embedding: field(
    tableSchema.nullable().optional(),
    "Scheme of the embedding, f16 to keep it; a tied output head is the same table",
    { unit: "scheme", otherwise: usualTableScheme },
  ),
  head: field(
    tableSchema.nullable().optional(),
    "Scheme of the output head, such as w4g64, or f16 to keep it",
    { unit: "scheme", otherwise: usualTableScheme },
  ),
  allocation: allocationSchema.nullable().default(null),
  kvCache: field(
    z.enum(kvRoundings).nullable().default(null),
    "Round keys and values to integers, each token and head by its largest, as a cache keeps them",
    { otherwise: "they stay as they are" },
  ),
  ignore: field(z.array(text).default([]), "Patterns of linear layers that stay as they are", {
    unit: "pattern",
  }),
  layers: field(
    z.array(z.object({ pattern: text, scheme: schemeSchema })).default([]),
    "Linear layers with a scheme of their own; the last pattern that fits counts",
    { flag: "layer", unit: "pattern=scheme", example: "mlp.down_proj=w4g64" },
  ),
  generic: field(
    z.boolean().default(false),
    "Quantize what looks like linear layers, by methods without data: for models that fewbit cannot run",
  ),
  teacher: field(text.nullable().default(null), "Model to learn from, for methods with a teacher", {
    unit: "dir",
    isPath: true,
    otherwise: "the original",
  }),
  imatrix: field(
    text.nullable().default(null),
    "Importance of columns for blocks of ggml, a file of `fewbit imatrix` or llama-imatrix",
    { unit: "file", isPath: true, otherwise: "from the calibration text" },
  ),
  calibration: calibrationSchema.nullable().default(null),
  trueSequential: ofCalibration(
    z.boolean().default(true),
    "Gather the inputs of each layer after those before it in its block were quantized",
    { off: "gather all inputs of a block before quantizing its layers" },
  ),
  activationRange: ofCalibration(
    z.enum(rangeEstimators).default("min-max"),
    "How schemes with a8-static or a8-integer find ranges",
  ),
  cacheDType: ofCalibration(
    z.enum(["f32", "f16"]).default("f32"),
    "How activations between blocks are kept",
  ),
  cacheOnDisk: ofCalibration(
    z.boolean().default(false),
    "Keep them in files beside the output instead of in memory",
  ),
  memory: field(
    byteSize.optional(),
    "Most memory to use: trainings go through batches in parts, activations go to the disk",
    { unit: "size", otherwise: "what is free" },
  ),
  seed: field(z.int().nonnegative().default(0), "Seed of every random choice", { unit: "n" }),
});

/** What a variant of a sweep may have too: all but what is of one run. */
export const variantFields = recipeSchema.omit({
  model: true,
  out: true,
  teacher: true,
  imatrix: true,
  cacheDType: true,
  cacheOnDisk: true,
  memory: true,
  seed: true,
  allocation: true,
});

const { files, samples, window } = calibrationSchema.shape;

/** What a command line says of the text of all finishers. */
const finishText = z.object({
  files: ofFinishers(files, "Text, or JSONL of chat messages: then only answers are learned", {
    flag: "finish-text",
    common: false,
  }),
  samples: ofFinishers(samples, "Number of windows", { flag: "finish-samples", common: false }),
  window: ofFinishers(window, "Tokens a window", { flag: "finish-window", common: false }),
});

const fields = fieldsOf(recipeSchema);
const behind = fields.findLastIndex(({ path }) => path[0] === "calibration") + 1;

/** What a command line can say of a recipe; `finishText` is the text of all finishers. */
export const recipeFields: readonly Field[] = fields.toSpliced(
  behind,
  0,
  ...fieldsOf(finishText, ["finishText"]),
);

/** What a command line can say of calibration text alone; model-written text aside. */
export const calibrationFields: readonly Field[] = fields.filter(
  ({ path }) => path[0] === "calibration" && !path[1].startsWith("selfGenerated"),
);

/**
 * The options of a method as fields. Flags of transforms and finishers begin with the method's id,
 * for several methods meet there.
 */
export function optionFields({ id, role, options: { shape } }: Method): Field[] {
  const prefix = role === "quantizer" ? "" : `${id}-`;
  return Object.entries(shape).map(([name, schema]) =>
    makeField([name], schema, { group: `Options of ${id}:`, flag: prefix + kebabCase(name) }),
  );
}

/** A recipe with its defaults, before what depends on the model is known. */
export type ParsedRecipe = z.output<typeof recipeSchema>;

/** How a scheme is chosen for each layer. */
export type Allocation = z.output<typeof allocationSchema>;

/** A recipe with all defaults filled in. */
export type Recipe = Omit<ParsedRecipe, "calibration" | "start" | "embedding" | "head"> & {
  /** Schemes; null: as it is stored. */
  readonly embedding: string | null;
  readonly head: string | null;
  readonly start: NonNullable<ParsedRecipe["start"]> | null;
  readonly calibration:
    | (NonNullable<ParsedRecipe["calibration"]> & { readonly window: number })
    | null;
};

/** A recipe as a user writes it; with an allocation it names no scheme. */
export type RecipeInput = Omit<z.input<typeof recipeSchema>, "scheme"> & {
  readonly scheme?: string | undefined;
};

/** A method with its options. */
export interface ChosenMethod {
  readonly method: Method;
  readonly options: Record<string, unknown>;
}

/** The transforms of a recipe with their options, in the order in which they run. */
export function transformsOf({ transforms }: Pick<Recipe, "transforms">): ChosenMethod[] {
  return transforms.map(({ method, options: chosen }) => ({
    method: methods[method],
    options: chosen,
  }));
}

/** Those that change a block when its turn comes. */
export function blockTransformsOf(recipe: Pick<Recipe, "transforms">): ChosenMethod[] {
  return transformsOf(recipe).filter(({ method }) => method.transformBlock);
}

/** What the quantizer of a recipe begins with; null where that is for it to say. */
export function startOf({ start }: Pick<Recipe, "start">): ChosenMethod | null {
  return start && { method: methods[start.method], options: start.options };
}

/** The finishers of a recipe with their options, in the order in which they run. */
export function finishersOf({ finishers }: Pick<Recipe, "finishers">): ChosenMethod[] {
  return finishers.map(({ method, options: chosen }) => ({
    method: methods[method],
    options: chosen,
  }));
}

/** All methods of a recipe, in the order in which they run. */
export function chainOf({
  transforms = [],
  method,
  finishers = [],
}: Pick<RecipeInput, "transforms" | "method" | "finishers">): Method[] {
  return [...transforms, { method }, ...finishers].map((step): Method => methods[step.method]);
}

/** All methods of a recipe that work on the original, in the order in which they run. */
export function methodsOf({ transforms, method }: Pick<Recipe, "transforms" | "method">): Method[] {
  return [...transforms.map((transform) => methods[transform.method]), methods[method]];
}
