import type { Backend } from "../backend/backend.ts";
import { readQuantizationConfig } from "../formats/quantization-config.ts";
import { tensorBytes } from "../formats/safetensors-header.ts";
import type { Method } from "../methods/define-method.ts";
import { absolutePath, freeDiskBytes, parentPath } from "../platform/node.ts";
import { findArchitecture } from "../models/index.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { bytesPerElement } from "../tensor/dtype.ts";
import { FewbitError, UnsupportedError, UsageError } from "../util/errors.ts";
import { outputGradientPasses } from "./estimate-output-gradients.ts";
import { sensitivityBytes } from "./estimate-sensitivities.ts";
import { estimateMemory, estimateSeconds } from "./estimate.ts";
import {
  embeddingAndHeadWeights,
  type Plan,
  type PlannedActivations,
  type PlannedLinear,
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
  const { checkpoint, carried, model, config } = opened;
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
  const { calibration, imatrix } = recipe;
  const importance = imatrix === null ? null : await readImportance(imatrix, linears, config.names);
  const outputBytes = outputEntries(checkpoint, [...linears, ...tables], {
    changed: changedTensors(model, checkpoint, linears, method, recipe),
    keepPacked: method.trainModel === undefined,
  })
    .map(({ dtype, shape }) => tensorBytes(dtype, shape) ?? 0)
    .reduce((sum, bytes) => sum + bytes, 0);
  const { others, linear } = opened.sizes;
  const blockBytes = linear.bytes;
  const activations = planActivations(recipe, method, config.hiddenSize);
  const text = calibration && { windows: calibration.samples, window: calibration.window };
  const training = (text && method.effort?.(recipe.options, text)) ?? null;
  const learner = transformsOf(recipe).find((transform) => transform.method.learnRotation);
  const learning = (text && learner?.method.effort?.(learner.options, text)) ?? null;
  const whole = {
    parameters: opened.sizes.parameters - others.parameters,
    blocks: model.blockCount,
    vocabularySize: config.vocabularySize,
  };
  const asked = {
    linears: chosen,
    blocks: model.blockCount,
    hiddenSize: config.hiddenSize,
    vocabularySize: config.vocabularySize,
    endBytes: opened.sizes.file.bytes - blockBytes - others.bytes,
    sourceBytes: checkpoint.totalBytes,
    outputBytes,
    runs: config.blockRuns,
    byExpert: linears.some(({ block }) => goesByExpert({ method, recipe, opened }, block)),
    tokens: text ? text.windows * text.window * config.blockRuns : 0,
    text,
    activationBytes: activations?.onDisk ? 0 : (activations?.bytes ?? 0),
    method,
    options: recipe.options,
    start: startOf(recipe),
    transforms: transformsOf(recipe),
    embeddingAndHeadWeights: embeddingAndHeadWeights(tables),
    training: training && {
      ...training,
      ...whole,
      teacher: method.usesTeacher?.(recipe.options) ?? false,
    },
    learning: learning && { ...learning, ...whole, teacher: false },
  };
  const fit = fitMemory(asked, recipe);
  const work = fitted(asked, fit);
  return {
    modelName: opened.name,
    architecture: opened.architecture,
    blocks: model.blockCount,
    linears,
    ends: tables,
    quantizedWeights: chosen.reduce((sum, l) => sum + l.inFeatures * l.outFeatures, 0),
    parameters: opened.sizes.parameters,
    methodTitle: titleOf(recipe),
    cautions: [
      ...cautionsOf(recipe),
      ...budgetCautions(recipe, chosen, config.hiddenSize),
      ...(mixed?.notices() ?? []),
      ...(importance?.notices ?? []),
    ],
    schemeId: recipe.scheme,
    calibration: text,
    activations: activations && {
      ...activations,
      onDisk: activations.onDisk || fit.cacheOnDisk === true,
    },
    training: work.training,
    learning,
    outputGradients: method.usesOutputGradients?.(recipe.options)
      ? outputGradientPasses(work)
      : null,
    sensitivityBytes: method.needs.sensitivities ? sensitivityBytes(chosen) : null,
    fit,
    backend: backend.description,
    threads: backend.threads,
    sourceBytes: checkpoint.fileBytes,
    estimate: {
      memoryBytes: estimateMemory(work),
      outputBytes,
      seconds: await estimateSeconds(backend, work),
    },
  };
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
