import type { Checkpoint } from "../formats/checkpoint.ts";
import { isJsonRecord, type JsonRecord } from "../util/json.ts";
import { fileTypeName } from "../formats/gguf/file-types.ts";
import { readModelRecord } from "../formats/model-files.ts";
import { storedBytes } from "../formats/safetensors-header.ts";
import { readQuantizationConfig } from "../formats/quantization-config.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { findArchitecture } from "../models/index.ts";
import { absolutePath, baseName } from "../platform/node.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { shortestFloat } from "../util/shortest-float.ts";
import type { Shape } from "../tensor/shape.ts";
import { UnsupportedError } from "../util/errors.ts";
import {
  type GenericCheckpoint,
  measureGeneric,
  openGenericCheckpoint,
} from "./generic-checkpoint.ts";
import { type ModelCheckpoint, openModelCheckpoint } from "./model-checkpoint.ts";
import { measureSizes, type ModelSizes } from "./model-sizes.ts";

/** A tensor of a checkpoint, as its file holds it. */
export interface InspectedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: Shape;
  readonly sizeBytes: number;
  /** Whether the language model uses it. */
  readonly used: boolean;
}

/** A packed linear layer. */
export interface InspectedModule {
  readonly module: string;
  readonly scheme: string;
  /** `[outFeatures, inFeatures]`. */
  readonly shape: readonly [number, number];
  readonly sizeBytes: number;
  readonly bitsPerWeight: number;
}

/** What the metadata of a GGUF file says of the file. */
export interface InspectedGguf {
  /** Number of files that it is split into. */
  readonly parts: number;
  /** `general.name`, and what `general.file_type` says that most weights are. */
  readonly name: string | null;
  readonly fileType: string | null;
  /** All metadata but arrays, of which the length is told. Numbers of 64 bits are strings. */
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

/** What a checkpoint holds, from its headers alone. */
export interface Inspection {
  readonly path: string;
  readonly name: string;
  /** `model_type` of the Hugging Face config, and the family's name for people. */
  readonly modelType: string;
  readonly architecture: string;
  readonly parameters: number;
  /** Null where `generic` quantized a model that fewbit cannot run. */
  readonly config: DecoderConfig | null;
  readonly blocks: number;
  readonly sizeBytes: number;
  readonly bitsPerWeight: { readonly linear: number; readonly file: number };
  readonly sizes: ModelSizes;
  /** Null for float checkpoints. */
  readonly quantization: {
    readonly scheme: string;
    /** Ids of the methods that made it, in the order in which they ran; none if it does not say. */
    readonly methods: readonly string[];
    /** Number of layers of each scheme. */
    readonly schemes: Readonly<Record<string, number>>;
    readonly modules: readonly InspectedModule[];
  } | null;
  /** All that is stored, also what the model does not use. */
  readonly tensors: readonly InspectedTensor[];
  /** What a user should know of it, a line each. */
  readonly notices: readonly string[];
  /** What a GGUF file says of itself; null for other checkpoints. */
  readonly gguf: InspectedGguf | null;
  /** The record of the run that made it (`run.json`), when there is one. */
  readonly record: JsonRecord | null;
}

/**
 * Describes a checkpoint, a directory or a GGUF file, without reading its weights, but for an output head that is
 * stored beside an embedding to which it should be tied: the two are compared. `name` is what it is called, by
 * default as its directory.
 * @throws FormatError UnsupportedError as `load` does
 */
export async function inspectCheckpoint(
  path: string,
  name: string = baseName(absolutePath(path)),
): Promise<Inspection> {
  const opened = await openInspected(path);
  try {
    return { path, name, ...(await describe(opened)) };
  } finally {
    await opened.checkpoint.close();
  }
}

/** Opens a model that fewbit can run, or what `generic` made of any other. */
async function openInspected(path: string): Promise<ModelCheckpoint | GenericCheckpoint> {
  try {
    return await openModelCheckpoint(path);
  } catch (error) {
    if (!(error instanceof UnsupportedError) || error.field !== "model_type") throw error;
    const opened = await openGenericCheckpoint(path);
    if (readQuantizationConfig(opened.checkpoint.config)?.notes.generic) return opened;
    await opened.checkpoint.close();
    throw error;
  }
}

async function describe(
  opened: ModelCheckpoint | GenericCheckpoint,
): Promise<Omit<Inspection, "path" | "name">> {
  const { checkpoint, notices } = opened;
  const { sizes, stored, unused, carried, ...family } =
    "stored" in opened ? describeKnown(opened) : describeUnknown(opened);
  return {
    ...family,
    parameters: sizes.parameters,
    sizeBytes: sizes.file.bytes,
    bitsPerWeight: { linear: sizes.linear.bitsPerWeight, file: sizes.file.bitsPerWeight },
    sizes,
    quantization: describeQuantization(checkpoint),
    tensors: [...stored.tensors.values()].map((info) => ({
      name: info.name,
      dtype: info.stored?.type ?? info.dtype,
      shape: info.shape,
      sizeBytes: storedBytes(info),
      used: !unused.has(info.name) && !carried.has(info.name),
    })),
    notices,
    gguf: describeGguf(stored),
    record: await readModelRecord(stored.files, "run.json"),
  };
}

/** What is told of a model, known or not, before what its tensors tell. */
interface Family extends Pick<Inspection, "modelType" | "architecture" | "config" | "blocks"> {
  readonly sizes: ModelSizes;
  readonly stored: Checkpoint;
  readonly unused: ReadonlySet<string>;
  /** Tensors of parts beside the language model. */
  readonly carried: ReadonlySet<string>;
}

function describeKnown({ checkpoint, stored, unused, carried, config }: ModelCheckpoint): Family {
  return {
    modelType: config.modelType,
    architecture: findArchitecture(checkpoint.config).title,
    config,
    blocks: config.layers.length,
    sizes: measureSizes(config, checkpoint, carried),
    stored,
    unused,
    carried,
  };
}

function describeUnknown(opened: GenericCheckpoint): Family {
  const { checkpoint, config, tensors } = opened;
  const blocks = new Set(
    tensors.flatMap(({ matrix, reason }) => (matrix && reason === null ? matrix.block : [])),
  );
  return {
    modelType: config.modelType,
    architecture: config.title,
    config: null,
    blocks: blocks.size,
    sizes: measureGeneric(opened),
    stored: checkpoint,
    unused: new Set(),
    carried: new Set(),
  };
}

function describeGguf({ gguf, weightFiles }: Checkpoint): InspectedGguf | null {
  if (!gguf) return null;
  const number = gguf.count("general.file_type");
  const metadata = [...gguf.entries].map(([key, entry]) => {
    if (entry.type === "array") return [key, `${entry.length} × ${entry.elements}`] as const;
    const { value } = entry;
    if (typeof value === "bigint") return [key, `${value}`] as const;
    return [key, entry.type === "f32" ? shortestFloat(entry.value) : value] as const;
  });
  return {
    parts: weightFiles.length,
    name: gguf.string("general.name"),
    fileType: number === null ? null : (fileTypeName(number) ?? `file type ${number}`),
    metadata: Object.fromEntries(metadata),
  };
}

function describeQuantization(checkpoint: Checkpoint): Inspection["quantization"] {
  const quantization = readQuantizationConfig(checkpoint.config);
  if (!quantization) return null;
  const schemes: Record<string, number> = {};
  const modules = [...quantization.modules].map(([module, stored]): InspectedModule => {
    const { scheme, outFeatures, inFeatures } = stored;
    const sizeBytes = QTensor.sizes(scheme, outFeatures, inFeatures).all;
    schemes[scheme.id] = (schemes[scheme.id] ?? 0) + 1;
    return {
      module,
      scheme: scheme.id,
      shape: [outFeatures, inFeatures],
      sizeBytes,
      bitsPerWeight: (8 * sizeBytes) / (outFeatures * inFeatures),
    };
  });
  return {
    scheme: quantization.name,
    methods: methodsOf(quantization.notes),
    schemes,
    modules,
  };
}

/** The methods that a checkpoint's configuration names: transforms, quantizer, finishers. */
function methodsOf({ transforms = [], method, finishers = [] }: JsonRecord): string[] {
  return [transforms, { method }, finishers].flat().flatMap((step: unknown) => {
    const name = isJsonRecord(step) ? step.method : undefined;
    return typeof name === "string" ? [name] : [];
  });
}
