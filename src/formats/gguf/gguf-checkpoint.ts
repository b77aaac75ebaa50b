import type { TensorForm } from "../../nn/weight-source.ts";
import { baseName, joinPath, listDirectory, parentPath, status } from "../../platform/node.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { formatSize } from "../../util/format-size.ts";
import { nearestName } from "../../util/nearest.ts";
import { Checkpoint, type PackedForm, type StoredTensor } from "../checkpoint.ts";
import type { JsonRecord } from "../../util/json.ts";
import { readFloatTensor } from "../read-float-tensor.ts";
import {
  findGgufFamily,
  type GgufDecoder,
  type GgufFamily,
  type LongFactors,
} from "./gguf-family.ts";
import type { GgufFile } from "./gguf-file.ts";
import { GgufModelFiles, type ReadGgufTokenizer } from "./gguf-model-files.ts";
import { openGgufParts } from "./gguf-parts.ts";
import { type GgufModule, viewTensors } from "./gguf-views.ts";
import { type GgufView, GgufWeights } from "./gguf-weights.ts";
import { ggufModelConfig } from "./model-config.ts";
import { longFactorsNames, ropeFactorsName } from "./tensor-names.ts";

/** What is to be known besides a file to read it as a checkpoint. */
export interface GgufReading {
  readonly families: readonly GgufFamily[];
  readonly readTokenizer: ReadGgufTokenizer;
  /** Reads a config.json: what its model is made of, and how checkpoints store its tensors. */
  readonly readConfig: (config: JsonRecord) => {
    readonly decoder: GgufDecoder;
    readonly forms: ReadonlyMap<string, TensorForm>;
  };
  /** Whether packed weights are decoded to float32 when they are read; default false. */
  readonly decoded?: boolean;
}

/** Tells by its name whether a path is a GGUF file. */
export function isGgufPath(path: string): boolean {
  return /\.gguf$/i.test(path);
}

/**
 * Opens a GGUF file, with its other parts where it is split, as a checkpoint: tensors under the
 * names and with the order of rows that Hugging Face checkpoints have, configuration and small files
 * made from the metadata. Weights of block types are packed modules whose bytes are those of the
 * file; those whose codes are indices of tables are decoded when they are read.
 * @throws FormatError when files are missing, truncated or malformed
 * @throws UnsupportedError for models and types that are not read
 */
export async function openGgufCheckpoint(path: string, reading: GgufReading): Promise<Checkpoint> {
  if (!(await status(path))) throw await missingFile(path);
  const parts = await openGgufParts(path);
  try {
    return await makeCheckpoint(path, parts, reading);
  } catch (error) {
    await Promise.all(parts.map((part) => part.close()));
    throw error;
  }
}

async function makeCheckpoint(
  path: string,
  parts: readonly GgufFile[],
  { families, readTokenizer, readConfig, decoded = false }: GgufReading,
): Promise<Checkpoint> {
  const { metadata } = parts[0];
  const family = findGgufFamily(metadata, families);
  const tensors = new Map(parts.flatMap((part) => [...part.tensors]));
  const ropeFactors = await readFactors(parts, ropeFactorsName);
  const longFactors = await readLongFactors(parts);
  const config = ggufModelConfig({ metadata, family, tensors, ropeFactors, longFactors });
  const viewing = {
    ...readConfig(config),
    source: metadata.source,
    permuted: family.gguf.permuted,
    decoded,
  };
  const weightFiles: GgufWeights[] = [];
  const places = new Map<string, StoredTensor>();
  const modules = new Map<string, GgufModule>();
  const views: GgufView[] = [];
  const packedForms = new Map<string, PackedForm>();
  for (const part of parts) {
    const found = viewTensors(part.tensors.values(), viewing);
    const file = new GgufWeights(part, found.views);
    weightFiles.push(file);
    const packed = new Set(
      decoded ? [...found.modules.keys()].map((each) => `${each}.blocks`) : [],
    );
    for (const [name, view] of found.views) {
      if (packed.has(name)) continue;
      if (places.has(name)) throw new FormatError(`${metadata.source}: two parts have "${name}"`);
      places.set(name, { file, name });
      views.push(view);
    }
    for (const [module, each] of found.modules) {
      modules.set(module, each);
      if (!decoded) continue;
      const place = { file, name: `${module}.blocks` };
      packedForms.set(`${module}.weight`, { module, description: describe(each), place });
    }
  }
  const isQuantized = modules.size > 0 && !decoded;
  const whole = { ...config, ...(isQuantized && quantizationOf(modules)) };
  const files = new GgufModelFiles(path, whole, metadata, readTokenizer);
  const notices = decoded ? originalNotices(path, views) : tableNotices(views);
  return new Checkpoint({
    path,
    config: whole,
    files,
    weightFiles,
    places,
    notices,
    packedForms,
    gguf: metadata,
  });
}

async function readLongFactors(parts: readonly GgufFile[]): Promise<LongFactors | null> {
  const short = await readFactors(parts, longFactorsNames.short);
  const long = await readFactors(parts, longFactorsNames.long);
  return short && long ? { short, long } : null;
}

async function readFactors(parts: readonly GgufFile[], name: string): Promise<Float32Array | null> {
  const part = parts.find(({ tensors }) => tensors.has(name));
  const tensor = part?.tensors.get(name);
  if (!part || !tensor) return null;
  const { dtype } = tensor.type;
  if (!dtype) {
    throw new UnsupportedError(
      `${baseName(part.path)}: ${name} is of the type ${tensor.type.name}, expected f32`,
    );
  }
  const read = (_: string, into: Uint8Array, at: number) => part.readInto(tensor.name, into, at);
  const source = { info: () => ({ ...tensor, dtype }), readInto: read };
  return (await readFloatTensor(source, tensor.name)).values;
}

/** Describes packed modules as `quantization_config` does; its scheme is that of most weights. */
function quantizationOf(modules: ReadonlyMap<string, GgufModule>): JsonRecord {
  const weights = new Map<string, number>();
  const described: Record<string, JsonRecord> = {};
  for (const [module, { scheme, outFeatures, inFeatures }] of modules) {
    weights.set(scheme, (weights.get(scheme) ?? 0) + outFeatures * inFeatures);
    described[module] = describe({ scheme, outFeatures, inFeatures });
  }
  const [[scheme]] = [...weights].sort(([, a], [, b]) => b - a);
  return {
    quantization_config: { quant_method: "fewbit", version: 1, scheme, modules: described },
  };
}

function describe({ scheme, outFeatures, inFeatures }: GgufModule): JsonRecord {
  return { scheme, kind: "linear", shape: [outFeatures, inFeatures] };
}

/** What is to be said of tensors that are decoded because no kernel reads them as they are. */
function tableNotices(views: readonly GgufView[]): string[] {
  const tables = views.filter(({ decode }) => decode !== null);
  if (tables.length === 0) return [];
  const bytes = sizesOf(tables);
  return [
    `weights of the types ${countTypes(tables)} are decoded when they are loaded: they take ` +
      `${formatSize(bytes.memory)} in memory, ${formatSize(bytes.file)} in the file`,
  ];
}

/** What is to be said of packed weights that are taken for the floats of an original. */
function originalNotices(path: string, views: readonly GgufView[]): string[] {
  const packed = views.filter(({ decode }) => decode !== null);
  if (packed.length === 0) return [];
  return [
    `${baseName(path)} is quantized already (${countTypes(packed)}): its decoded weights stand for ` +
      "the original, and errors add up",
  ];
}

function sizesOf(views: readonly GgufView[]): { memory: number; file: number } {
  const sum = (size: (view: GgufView) => number): number =>
    views.reduce((total, view) => total + size(view), 0);
  return {
    memory: sum(({ info }) => info.end - info.begin),
    file: sum(({ source }) => source.end - source.begin),
  };
}

/** `q4_1 (210 tensors), q8_0 (1 tensor)` */
function countTypes(views: readonly GgufView[]): string {
  const counts = new Map<string, number>();
  for (const { type } of new Map(views.map(({ source }) => [source.name, source])).values()) {
    counts.set(type.name, (counts.get(type.name) ?? 0) + 1);
  }
  return [...counts]
    .map(([type, count]) => `${type} (${count} ${count === 1 ? "tensor" : "tensors"})`)
    .join(", ");
}

async function missingFile(path: string): Promise<FormatError> {
  const folder = parentPath(path);
  const entries = await listDirectory(folder).catch(() => []);
  const files = entries.map(({ name }) => name).filter(isGgufPath);
  const nearest = nearestName(baseName(path), files) ?? files[0];
  const hint =
    nearest === undefined ? "check the path" : `did you mean ${joinPath(folder, nearest)}?`;
  return new FormatError(`there is no file ${path}`, { hint });
}
