import type { Backend } from "../backend/backend.ts";
import { readQuantizationConfig } from "../formats/quantization-config.ts";
import { tensorBytes } from "../formats/safetensors-header.ts";
import type { Method, TrainingData } from "../methods/define-method.ts";
import { absolutePath, freeDiskBytes, parentPath, status } from "../platform/node.ts";
import { findArchitecture } from "../models/index.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { bytesPerElement } from "../tensor/dtype.ts";
import { FewbitError, UnsupportedError, UsageError } from "../util/errors.ts";
import { sum } from "../util/sums.ts";
import { outputGradientPasses } from "./estimate-output-gradients.ts";
import { sensitivityBytes } from "./estimate-sensitivities.ts";
import { estimateMemory } from "./estimate-memory.ts";
import { estimateSeconds } from "./estimate-seconds.ts";
import type { WorkSize } from "./work-size.ts";
import {
  embeddingAndHeadWeights,
  type Plan,
  type PlannedActivations,
  type PlannedLinear,
  type PlannedVocabularyTable,
} from "../run/plan.ts";
import { selectEmbeddingAndHead } from "../blocks/embedding-and-head.ts";
import { goesByExpert } from "../blocks/goes-by-expert.ts";
import { outputEntries } from "../run/output/quantized-output.ts";
import { cautionsOf } from "../recipe/parse-recipe.ts";
import { mixtureOf, MixtureSchemes } from "../recipe/mixture-schemes.ts";
import { methodsOf, type Recipe, startOf, transformsOf } from "../recipe/recipe.ts";
import { changedTensors } from "../blocks/scale-groups.ts";
import { budgetCautions } from "./budget-cautions.ts";
import { fitMemory, fitted } from "./fit-memory.ts";
import { expectFittingRows } from "./expect-fitting-rows.ts";
import { readImportance } from "./importance-lookup.ts";
import { selectLinears } from "./select-linears.ts";
import { gigabytes } from "../run/expect-memory.ts";

/**
 * Works out what a recipe will do to a model, and what it will need.
 * @throws UsageError when nothing would be quantized, a pattern fits nothing, or rows are not the
 *   whole blocks that their scheme asks for
 */
export async function makePlan(
  opened: OpenedModel,
  recipe: Recipe,
  method: Method,
  backend: Backend,
): Promise<Plan> {
  const weights = chooseWeights(opened, recipe, method);
  const { linears, chosen, mixed } = weights;
  const { config } = opened;
  const { imatrix } = recipe;
  const importance = imatrix === null ? null : await readImportance(imatrix, linears, config.names);
  const activations = planActivations(recipe, method, config.hiddenSize);
  const textFileBytes = await largestTextBytes(recipe);
  const asked = workOf(opened, recipe, method, { ...weights, activations, textFileBytes });
  const fit = fitMemory(asked, recipe);
  const work = fitted(asked, fit);
  return {
    ...whatIsMade(opened, recipe, weights),
    cautions: [
      ...cautionsOf(recipe),
      ...budgetCautions(recipe, chosen, config.hiddenSize),
      ...(mixed?.notices() ?? []),
      ...(importance?.notices ?? []),
    ],
    calibration: work.text,
    activations: activations && {
      ...activations,
      onDisk: activations.onDisk || fit.cacheOnDisk === true,
    },
    training: work.training,
    learning: work.learning,
    outputGradients: method.usesOutputGradients?.(recipe.options)
      ? outputGradientPasses(work)
      : null,
    sensitivityBytes: method.needs.sensitivities ? sensitivityBytes(chosen) : null,
    fit,
    backend: backend.description,
    threads: backend.threads,
    estimate: {
      memoryBytes: estimateMemory(work),
      outputBytes: work.outputBytes,
      seconds: await estimateSeconds(backend, work),
    },
  };
}

/** What of a model gets which scheme. */
interface ChosenWeights {
  readonly linears: readonly PlannedLinear[];
  /** Those that are quantized. */
  readonly chosen: readonly PlannedLinear[];
  /** Embedding and output head. */
  readonly tables: readonly PlannedVocabularyTable[];
  readonly mixed: MixtureSchemes | null;
}

function chooseWeights(opened: OpenedModel, recipe: Recipe, method: Method): ChosenWeights {
  const { carried, model } = opened;
  const packed = packedLinears(opened);
  const mixed = packed ? null : mixtureSchemes(opened, recipe, method);
  const rules = { mixed, gates: model.gates(), carried };
  const linears = packed ?? selectLinears(model.linears(), recipe, rules);
  const chosen = linears.filter(({ scheme }) => scheme !== null);
  if (chosen.length === 0) {
    throw new UsageError("nothing is left to quantize: every linear layer is ignored");
  }
  const tables = selectEmbeddingAndHead(model.embeddingAndHead(), recipe, mixed);
  expectFittingRows([...chosen, ...tables], recipe);
  return { linears, chosen, tables, mixed };
}

type WhatIsMade = Pick<
  Plan,
  | "modelName"
  | "architecture"
  | "blocks"
  | "linears"
  | "ends"
  | "quantizedWeights"
  | "parameters"
  | "methodTitle"
  | "schemeId"
  | "sourceBytes"
>;

/** The model, and what becomes of its weights. */
function whatIsMade(
  { name, architecture, model, sizes, checkpoint }: OpenedModel,
  recipe: Recipe,
  { linears, chosen, tables }: ChosenWeights,
): WhatIsMade {
  return {
    modelName: name,
    architecture,
    blocks: model.blockCount,
    linears,
    ends: tables,
    quantizedWeights: sum(chosen.map((each) => each.inFeatures * each.outFeatures)),
    parameters: sizes.parameters,
    methodTitle: titleOf(recipe),
    schemeId: recipe.scheme,
    sourceBytes: checkpoint.fileBytes,
  };
}

interface PlannedParts extends ChosenWeights {
  readonly activations: PlannedActivations | null;
  readonly textFileBytes: number;
}

async function largestTextBytes({ calibration }: Recipe): Promise<number> {
  const files = await Promise.all((calibration?.files ?? []).map(({ path }) => status(path)));
  return Math.max(0, ...files.map((file) => file?.sizeBytes ?? 0));
}

/** How much work the recipe is, before it is fitted into memory. */
function workOf(
  opened: OpenedModel,
  recipe: Recipe,
  method: Method,
  parts: PlannedParts,
): WorkSize {
  const { checkpoint, model, config, sizes } = opened;
  const { linears, chosen, tables, activations, textFileBytes } = parts;
  const { calibration } = recipe;
  const text = calibration && { windows: calibration.samples, window: calibration.window };
  return {
    linears: chosen,
    blocks: model.blockCount,
    hiddenSize: config.hiddenSize,
    vocabularySize: config.vocabularySize,
    endBytes: sizes.file.bytes - sizes.linear.bytes - sizes.others.bytes,
    areEndsMapped: areEndsMapped(opened, recipe),
    sourceBytes: checkpoint.totalBytes,
    outputBytes: outputBytesOf(opened, recipe, method, parts),
    runs: config.blockRuns,
    byExpert: linears.some(({ block }) => goesByExpert({ method, recipe, opened }, block)),
    isSequential: recipe.trueSequential,
    tokens: text ? text.windows * text.window * config.blockRuns : 0,
    text,
    textFileBytes,
    activationBytes: activations?.onDisk ? 0 : (activations?.bytes ?? 0),
    method,
    options: recipe.options,
    start: startOf(recipe),
    transforms: transformsOf(recipe),
    embeddingAndHeadWeights: embeddingAndHeadWeights(tables),
    ...trainingsOf(opened, recipe, method, text),
  };
}

/** Whether embedding and head are stored as they are looked up: in 16 bits, and not rotated. */
function areEndsMapped({ checkpoint, config }: OpenedModel, recipe: Recipe): boolean {
  if (transformsOf(recipe).some(({ method }) => method.rotateModel)) return false;
  const name = `${config.names.embedding}.weight`;
  return checkpoint.has(name) && ["f16", "bf16"].includes(checkpoint.info(name).dtype);
}

/** Trainings of the whole model: by the method itself, and of a rotation in front of it. */
function trainingsOf(
  { model, config, sizes }: OpenedModel,
  recipe: Recipe,
  method: Method,
  text: TrainingData | null,
): Pick<WorkSize, "training" | "learning"> {
  const training = (text && method.effort?.(recipe.options, text)) ?? null;
  const learner = transformsOf(recipe).find((transform) => transform.method.learnRotation);
  const learning = (text && learner?.method.effort?.(learner.options, text)) ?? null;
  const whole = {
    parameters: sizes.parameters - sizes.others.parameters,
    blocks: model.blockCount,
    vocabularySize: config.vocabularySize,
  };
  const teacher = method.usesTeacher?.(recipe.options) ?? false;
  return {
    training: training && { ...training, ...whole, teacher },
    learning: learning && { ...learning, ...whole, teacher: false },
  };
}

/** Bytes of all tensors that are written. */
function outputBytesOf(
  { checkpoint, model }: OpenedModel,
  recipe: Recipe,
  method: Method,
  { linears, tables }: ChosenWeights,
): number {
  const entries = outputEntries(checkpoint, [...linears, ...tables], {
    changed: changedTensors(model, checkpoint, linears, method, recipe),
    keepPacked: method.trainModel === undefined,
  });
  return sum(entries.map(({ dtype, shape }) => tensorBytes(dtype, shape) ?? 0));
}

/** `AWQ + GPTQ`, or with a start `Block-AP from GPTQ`. */
function titleOf(recipe: Recipe): string {
  const start = startOf(recipe);
  const titles = methodsOf(recipe).map(({ title }) => title);
  return `${titles.join(" + ")}${start ? ` from ${start.method.title}` : ""}`;
}

/** The linears of a checkpoint that is quantized already; null when it is not. */
function packedLinears({ checkpoint, model }: OpenedModel): PlannedLinear[] | null {
  const packed = readQuantizationConfig(checkpoint.config)?.modules;
  if (!packed) return null;
  return model
    .linears()
    .map((linear) => ({ ...linear, scheme: packed.get(linear.module)?.scheme ?? null }));
}

/**
 * The schemes of the mixture that a recipe names; null when it names a scheme.
 * @throws UnsupportedError where it is not known what llama.cpp calls the model's tensors
 */
function mixtureSchemes(
  { config, model, checkpoint, architecture }: OpenedModel,
  { scheme, calibration, imatrix }: Recipe,
  { usesImportance = false }: Method,
): MixtureSchemes | null {
  const mixture = mixtureOf(scheme);
  if (!mixture) return null;
  if (findArchitecture(checkpoint.config).gguf === null) {
    throw new UnsupportedError(`the mixture ${scheme} is not known for models of ${architecture}`, {
      hint: `name a scheme of blocks, such as ${mixture.usual}`,
    });
  }
  const { heads, kvHeads, tiedEmbeddings: tied } = config;
  const experts = config.experts?.count ?? 1;
  const importance = imatrix !== null || (usesImportance && calibration !== null);
  const shape = { blocks: model.blockCount, heads, kvHeads, experts, tied };
  return new MixtureSchemes(mixture, { ...shape, importance }, config.names);
}

function planActivations(
  { calibration, cacheDType: dtype, cacheOnDisk: onDisk, options }: Recipe,
  { needs, trainModel, usesOutputGradients }: Method,
  hiddenSize: number,
): PlannedActivations | null {
  if (!calibration || trainModel) return null;
  const values = calibration.samples * calibration.window * hiddenSize;
  const streams = values * bytesPerElement(dtype) * (needs.floatInputs ? 2 : 1);
  const gradients = usesOutputGradients?.(options) ? values * bytesPerElement("f32") : 0;
  return { bytes: streams + gradients, dtype, onDisk };
}

/**
 * Returns the bytes that a run writes: its output, and activations that are kept on the disk.
 * @throws FewbitError (code `FILE`) when the disk that `out` lies on has no room for activations
 */
export async function expectDisk(
  { activations, sensitivityBytes: ofGradients, estimate }: Plan,
  out: string,
): Promise<number> {
  const ofActivations = activations?.onDisk ? activations.bytes : 0;
  const meanwhile = ofActivations + (ofGradients ?? 0);
  if (meanwhile === 0) return estimate.outputBytes;
  const free = await freeDiskBytes(parentPath(absolutePath(out)));
  const needed = meanwhile + estimate.outputBytes;
  if (free === null || free >= needed) return needed;
  const room = `${gigabytes(needed)} on the disk of ${out}, ${gigabytes(free)} is free`;
  const what = ofActivations > 0 ? "activations and output" : "squared gradients and output";
  throw new FewbitError("FILE", `${what} need ${room}`, {
    hint: "use fewer or shorter calibration windows (`samples`, `window`), or `cacheDType: f16`",
  });
}
