import type { Backend } from "../../backend/backend.ts";
import { selectEmbeddingAndHead } from "../../blocks/embedding-and-head.ts";
import { tensorBytes } from "../../formats/safetensors-header.ts";
import type { Method } from "../../methods/define-method.ts";
import type { GenericMatrix, JudgedTensor } from "../../models/generic/judged-tensor.ts";
import type { LinearDescription } from "../../nn/quantizable-model.ts";
import { usualScheme } from "../../recipe/mixture-schemes.ts";
import { cautionsOf } from "../../recipe/parse-recipe.ts";
import type { Recipe } from "../../recipe/recipe.ts";
import { outputEntries } from "../../run/output/quantized-output.ts";
import {
  embeddingAndHeadWeights,
  type KeptTensor,
  type Plan,
  type PlannedLinear,
  type PlannedVocabularyTable,
} from "../../run/plan.ts";
import { elementCount } from "../../tensor/shape.ts";
import { UsageError } from "../../util/errors.ts";
import { sum } from "../../util/sums.ts";
import { estimateMatrixMemory } from "../estimate-memory.ts";
import { estimateSeconds } from "../estimate-seconds.ts";
import type { WorkSize } from "../work-size.ts";
import { expectFittingRows } from "../expect-fitting-rows.ts";
import { selectLinears } from "../select-linears.ts";
import type { OpenedGeneric } from "./open-generic.ts";

/**
 * Works out what a recipe will do to a checkpoint whose architecture does not count, and what it
 * will need: which tensors are quantized, and why the others stay as they are.
 * @throws UsageError when nothing would be quantized, a pattern fits nothing, a scheme is given for
 *   a table that was not found, or rows are not the whole blocks that their scheme asks for
 */
export async function makeGenericPlan(
  opened: OpenedGeneric,
  recipe: Recipe,
  method: Method,
  backend: Backend,
): Promise<Plan> {
  const { checkpoint, tensors } = opened;
  const linears = planLinears(tensors, recipe);
  const chosen = linears.filter(({ scheme }) => scheme !== null);
  if (chosen.length === 0) {
    throw new UsageError("nothing is left to quantize: every weight stays as it is", {
      hint: "name weights with a scheme of their own (`layers`), or ignore fewer",
    });
  }
  const ends = planTables(tensors, recipe);
  expectFittingRows([...chosen, ...ends], recipe);
  const entries = outputEntries(checkpoint, [...linears, ...ends]);
  const outputBytes = sum(entries.map(({ dtype, shape }) => tensorBytes(dtype, shape) ?? 0));
  const work = workOf(opened, recipe, method, { chosen, ends, outputBytes });
  return {
    modelName: opened.name,
    architecture: opened.config.title,
    blocks: new Set(linears.map(({ block }) => block)).size,
    linears,
    ends,
    kept: keptTensors(tensors, linears, ends),
    quantizedWeights: sum(chosen.map((l) => l.inFeatures * l.outFeatures)),
    parameters: sum(tensors.map(({ shape }) => elementCount(shape))),
    methodTitle: method.title,
    cautions: [...cautionsOf(recipe)],
    schemeId: recipe.scheme,
    calibration: null,
    activations: null,
    outputGradients: null,
    sensitivityBytes: null,
    training: null,
    learning: null,
    fit: {},
    backend: backend.description,
    threads: backend.threads,
    sourceBytes: checkpoint.fileBytes,
    estimate: {
      memoryBytes: estimateMatrixMemory(chosen),
      outputBytes,
      seconds: await estimateSeconds(backend, work),
    },
  };
}

/** What looks like a linear layer takes the usual scheme, other matrices only one of their own. */
function planLinears(tensors: readonly JudgedTensor[], recipe: Recipe): PlannedLinear[] {
  const candidates = tensors.flatMap(({ matrix, ...tensor }) =>
    matrix ? [{ ...tensor, matrix }] : [],
  );
  if (candidates.length === 0) {
    throw new UsageError("no tensor of this checkpoint looks like a linear layer", {
      hint: "linear layers are matrices of floats named …weight, in numbered blocks",
    });
  }
  const usual = usualScheme(recipe.scheme);
  const usualOnes = new Set(
    candidates.flatMap(({ reason, matrix }) => (reason === null ? [matrix.module] : [])),
  );
  const rule = { of: (module: string) => (usualOnes.has(module) ? usual : null) };
  const ordered = candidates.toSorted((a, b) => a.matrix.block - b.matrix.block);
  const described = ordered.map(({ matrix }) => describe(matrix));
  const planned = selectLinears(described, recipe, { mixed: rule })
    .map((linear, i) => ({ linear, tensor: ordered[i] }))
    .filter(({ linear }) => linear.scheme !== null || usualOnes.has(linear.module));
  const blocks = [...new Set(planned.map(({ linear }) => linear.block))];
  return planned.flatMap(({ linear, tensor }) =>
    matricesOf({ ...linear, block: blocks.indexOf(linear.block) }, tensor),
  );
}

function describe({
  module,
  block,
  slot,
  outFeatures,
  inFeatures,
}: GenericMatrix): LinearDescription {
  return { module, block, slot, outFeatures, inFeatures };
}

/** The matrices of a stack, each a layer of its own; of anything else the layer itself. */
function matricesOf(
  linear: PlannedLinear,
  { name: tensor, matrix }: Pick<JudgedTensor, "name" | "matrix">,
): PlannedLinear[] {
  const { stack = null } = matrix ?? {};
  if (!stack) return [linear];
  return Array.from({ length: stack.matrices }, (_, index) => ({
    ...linear,
    module: `${linear.module}.${index}`,
    slot: `${linear.slot}.${index}`,
    stack: { tensor, index, transposed: stack.transposed },
  }));
}

/** @throws UsageError when a scheme is given for a table that is not there */
function planTables(tensors: readonly JudgedTensor[], recipe: Recipe): PlannedVocabularyTable[] {
  const tables = tensors.flatMap(({ name, shape, roles }) =>
    roles.length === 0
      ? []
      : [
          {
            module: name.replace(/\.weight$/, ""),
            roles,
            outFeatures: shape[0],
            inFeatures: shape[1],
          },
        ],
  );
  for (const role of ["embedding", "head"] as const) {
    if (recipe[role] === null) continue;
    const found = tables.filter(({ roles }) => roles.includes(role));
    if (found.length === 1) continue;
    const count = found.length === 0 ? "no tensor looks" : "several tensors look";
    throw new UsageError(`${count} like the ${role === "head" ? "output head" : role}`, {
      hint: `leave out \`${role}\``,
      field: role,
      value: recipe[role],
    });
  }
  return selectEmbeddingAndHead(tables, recipe);
}

function keptTensors(
  tensors: readonly JudgedTensor[],
  linears: readonly PlannedLinear[],
  ends: readonly PlannedVocabularyTable[],
): KeptTensor[] {
  const quantized = new Set(
    [...linears, ...ends].flatMap(({ module, scheme, ...rest }) => {
      if (!scheme) return [];
      return ("stack" in rest && rest.stack?.tensor) || `${module}.weight`;
    }),
  );
  return tensors
    .filter(({ name }) => !quantized.has(name))
    .map(({ name, shape, reason }) => ({ name, shape, reason: reason ?? "ignored" }));
}

/** Sizes of the work, for its time. */
function workOf(
  { checkpoint }: OpenedGeneric,
  { options }: Recipe,
  method: Method,
  {
    chosen,
    ends,
    outputBytes,
  }: {
    readonly chosen: readonly PlannedLinear[];
    readonly ends: readonly PlannedVocabularyTable[];
    readonly outputBytes: number;
  },
): WorkSize {
  return {
    linears: chosen,
    blocks: 0,
    hiddenSize: 0,
    vocabularySize: 0,
    endBytes: 0,
    areEndsMapped: false,
    isSequential: false,
    sourceBytes: checkpoint.totalBytes,
    outputBytes,
    runs: 1,
    byExpert: false,
    tokens: 0,
    text: null,
    textFileBytes: 0,
    activationBytes: 0,
    method,
    options,
    start: null,
    transforms: [],
    embeddingAndHeadWeights: embeddingAndHeadWeights(ends),
    training: null,
    learning: null,
  };
}
