import type { Checkpoint } from "../formats/checkpoint.ts";
import { openCheckpoint } from "../formats/checkpoint.ts";
import { quantizedEntries } from "../formats/fewbit-format.ts";
import { isGgufPath } from "../formats/gguf/gguf-checkpoint.ts";
import {
  type QuantizedModule,
  readQuantizationConfig,
  stackModules,
  stackShape,
} from "../formats/quantization-config.ts";
import { storedBytes } from "../formats/safetensors-header.ts";
import { turnedShape } from "../formats/tensor-forms.ts";
import { type GenericConfig, readGenericConfig } from "../models/generic/generic-config.ts";
import { judgeTensors } from "../models/generic/judge-tensors.ts";
import type { JudgedTensor, StoredTensor } from "../models/generic/judged-tensor.ts";
import { elementCount } from "../tensor/shape.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { openModelCheckpoint } from "./model-checkpoint.ts";
import type { ModelSizes } from "./model-sizes.ts";
import { expectMerged } from "./unused-tensors.ts";

/** A checkpoint whose tensors are judged by what they look like. */
export interface GenericCheckpoint {
  /** All of it; the caller closes it. */
  readonly checkpoint: Checkpoint;
  readonly config: GenericConfig;
  /** Packed weights are among them as what they decode to. */
  readonly tensors: readonly JudgedTensor[];
  /** What a user should know, a line each. */
  readonly notices: readonly string[];
}

/**
 * Opens a checkpoint directory for work on its tensors alone. Of a model that fewbit can run it has the
 * names and the forms that this has; of any other everything as it is stored.
 * @throws FormatError when files are missing or malformed
 * @throws UnsupportedError for GGUF files, quantizations of other programs, and adapters
 */
export async function openGenericCheckpoint(path: string): Promise<GenericCheckpoint> {
  if (isGgufPath(path)) {
    throw new UnsupportedError("a GGUF file holds only architectures that are known", {
      hint: "leave out `generic`, or take the directory that it was made from",
      field: "generic",
      value: true,
    });
  }
  const { checkpoint, notices } = await openKnown(path);
  try {
    expectMerged([...checkpoint.tensors.keys()]);
    const config = readGenericConfig(checkpoint.config);
    const tensors = judgeTensors(decodedTensors(checkpoint), config);
    return { checkpoint, config, tensors, notices };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/** As the architecture has it, if that can be read; otherwise as it is stored. */
async function openKnown(path: string): Promise<Pick<GenericCheckpoint, "checkpoint" | "notices">> {
  try {
    const { checkpoint, notices } = await openModelCheckpoint(path, { allFiles: true });
    return { checkpoint, notices };
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof UnsupportedError)) throw error;
    const checkpoint = await openCheckpoint(path, { storedNames: true, allFiles: true });
    const isUnknown = error.field === "model_type";
    const why = isUnknown
      ? []
      : [`taken as it is stored, since fewbit cannot read it: ${error.message}`];
    return { checkpoint, notices: [...why, ...checkpoint.notices] };
  }
}

/** The tensors of a checkpoint as they are computed with, packed ones decoded. */
function* decodedTensors(checkpoint: Checkpoint): Generator<StoredTensor> {
  const quantization = readQuantizationConfig(checkpoint.config);
  const modules = new Map(quantization?.modules);
  const parts = new Set([...modules].flatMap((each) => entryNames(...each)));
  for (const { name, dtype, shape } of checkpoint.tensors.values()) {
    if (!parts.has(name)) {
      yield { name, dtype, shape: turnedShape(shape, checkpoint.forms.get(name)) };
    }
  }
  for (const [tensor, stack] of quantization?.stacks ?? []) {
    const names = stackModules(tensor, stack);
    const first = modules.get(names[0]) as QuantizedModule;
    yield { name: tensor, dtype: "f32", shape: stackShape(stack, first) };
    for (const name of names) modules.delete(name);
  }
  for (const [module, { outFeatures, inFeatures }] of modules) {
    yield { name: `${module}.weight`, dtype: "f32", shape: [outFeatures, inFeatures] };
  }
}

function entryNames(module: string, packed: QuantizedModule): string[] {
  return quantizedEntries(module, packed).map(({ name }) => name);
}

/**
 * Measures a checkpoint by its headers. Linear layers are those that look so, and what is packed but
 * for tables of the vocabulary; a stack counts as its matrices.
 * @throws FormatError when a part of a packed weight is missing
 */
export function measureGeneric({ checkpoint, tensors }: GenericCheckpoint): ModelSizes {
  const quantization = readQuantizationConfig(checkpoint.config);
  const linear = { layers: 0, weights: 0, bytes: 0 };
  let parameters = 0;
  for (const tensor of tensors) {
    const weights = elementCount(tensor.shape);
    parameters += weights;
    const stack = quantization?.stacks.get(tensor.name);
    const module = tensor.name.replace(/\.weight$/, "");
    const names = stack ? stackModules(tensor.name, stack) : [module];
    const packed = names.flatMap((name) => {
      const found = quantization?.modules.get(name);
      return found ? entryNames(name, found) : [];
    });
    const bytes = sizeOf(checkpoint, packed.length > 0 ? packed : [tensor.name]);
    const isLinear = tensor.reason === null || (packed.length > 0 && tensor.roles.length === 0);
    if (!isLinear) continue;
    linear.layers += tensor.matrix?.stack?.matrices ?? 1;
    linear.weights += weights;
    linear.bytes += bytes;
  }
  const { fileBytes } = checkpoint;
  return {
    parameters,
    linear: { ...linear, bitsPerWeight: (8 * linear.bytes) / linear.weights },
    file: { bytes: fileBytes, bitsPerWeight: (8 * fileBytes) / parameters },
    others: { parameters: 0, bytes: 0 },
  };
}

function sizeOf(checkpoint: Checkpoint, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + storedBytes(checkpoint.info(name)), 0);
}

/** Opens a checkpoint that a generic run made, and measures it. @throws as opening it does */
export async function measureGenericAt(path: string): Promise<ModelSizes> {
  const opened = await openGenericCheckpoint(path);
  try {
    return measureGeneric(opened);
  } finally {
    await opened.checkpoint.close();
  }
}
