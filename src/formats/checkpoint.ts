import { baseName, joinPath, listDirectory, status } from "../platform/node.ts";
import type { ArrayOf, DType } from "../tensor/dtype.ts";
import { FormatError } from "../util/errors.ts";
import { explainMissingDirectory, missingConfig } from "./checkpoint-errors.ts";
import { readJsonObject } from "./json-file.ts";
import type { JsonRecord } from "../util/json.ts";
import { DirectoryFiles } from "./directory-files.ts";
import type { GgufMetadata } from "./gguf/gguf-metadata.ts";
import type { ModelFiles } from "./model-files.ts";
import type { TensorInfo } from "./safetensors-header.ts";
import type { TensorForm } from "../nn/weight-source.ts";
import { isModelFile, isSidecarFile } from "./sidecar-files.ts";
import { standardName } from "./standard-names.ts";
import { type TensorPart, TensorParts } from "./tensor-parts.ts";
import type { WeightFile } from "./weight-file.ts";
import { openWeights, strayShards } from "./weight-files.ts";
import { listNames, quoteName } from "./wording.ts";

/** Where a tensor of a checkpoint lies. */
export interface StoredTensor {
  readonly file: WeightFile;
  /** Its name in the file. */
  readonly name: string;
}

/** A packed weight as its file holds it. */
export interface PackedForm {
  readonly module: string;
  /** As `quantization_config` describes it. */
  readonly description: JsonRecord;
  /** The tensor that holds its bytes. */
  readonly place: StoredTensor;
}

/** What a checkpoint is made of. */
export interface CheckpointParts {
  /** The directory, or the file that has everything. */
  readonly path: string;
  /** config.json as it stands. */
  readonly config: JsonRecord;
  readonly files: ModelFiles;
  readonly weightFiles: readonly WeightFile[];
  /** Where the tensors lie, by their standard names. */
  readonly places: ReadonlyMap<string, StoredTensor>;
  /** What a user should know of the weight files, a line each. */
  readonly notices?: readonly string[];
  /**
   * Packed weights that are also seen decoded, by the names of the decoded tensors: they are no
   * tensors of this checkpoint, but can be read by their names.
   */
  readonly packedForms?: ReadonlyMap<string, PackedForm>;
  /** Metadata of the file, where it is a GGUF file. */
  readonly gguf?: GgufMetadata | null;
  /** How tensors are stored that are not stored as they are computed with, by name. */
  readonly forms?: ReadonlyMap<string, TensorForm>;
}

/**
 * A checkpoint opened for reading, such as a Hugging Face directory: configuration, small files and
 * all tensors, under their standard names (`standardName`).
 */
export class Checkpoint {
  /** The directory, or the file that has everything. */
  readonly path: string;
  /** config.json as it stands. */
  readonly config: JsonRecord;
  /** The small files beside the weights. */
  readonly files: ModelFiles;
  /** The weight files, as they were when the checkpoint was opened. */
  readonly weightFiles: readonly WeightFile[];
  /** What a user should know of the weight files, a line each. */
  readonly notices: readonly string[];
  /** Metadata of the GGUF file that it is; null for a Hugging Face directory. */
  readonly gguf: GgufMetadata | null;
  /** What holds the packed weights that are seen decoded, by the names of the decoded tensors. */
  readonly packedForms: ReadonlyMap<string, PackedForm>;
  /** How tensors are stored that are not stored as they are computed with, by name. */
  readonly forms: ReadonlyMap<string, TensorForm>;
  /** All tensors by name, shard after shard, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Bytes of all tensors. */
  readonly totalBytes: number;
  /** Bytes of the weight files, headers included. */
  readonly fileBytes: number;
  private readonly places: ReadonlyMap<string, StoredTensor>;

  constructor(parts: CheckpointParts) {
    const { path, config, files, weightFiles, places, notices = [], gguf = null } = parts;
    this.path = path;
    this.config = config;
    this.files = files;
    this.weightFiles = weightFiles;
    this.places = places;
    this.notices = notices;
    this.gguf = gguf;
    this.packedForms = parts.packedForms ?? new Map();
    this.forms = parts.forms ?? new Map();
    const tensors = new Map<string, TensorInfo>();
    let totalBytes = 0;
    for (const [name, place] of places) {
      const info = place.file.info(place.name);
      tensors.set(name, info.name === name ? info : { ...info, name });
      totalBytes += info.end - info.begin;
    }
    this.tensors = tensors;
    this.totalBytes = totalBytes;
    this.fileBytes = weightFiles.reduce((sum, file) => sum + file.sizeBytes, 0);
  }

  /**
   * Returns the checkpoint with another configuration and some of its tensors only, under new
   * names; it shares the files, which either of the two closes.
   * @param names names in this checkpoint by new names
   * @param forms how some are stored, by new names
   * @throws FormatError when there is no such tensor
   */
  select(
    config: JsonRecord,
    names: ReadonlyMap<string, string>,
    forms: ReadonlyMap<string, TensorForm> = new Map(),
  ): Checkpoint {
    const places = new Map([...names].map(([name, from]) => [name, this.place(from)]));
    return new Checkpoint({ ...this, config, places, forms });
  }

  /**
   * Returns the checkpoint with parts of some tensors in their place; it shares the files, as what
   * `select` returns.
   * @param parts what becomes of a tensor, by its name
   * @throws FormatError when there is no such tensor
   */
  split(parts: ReadonlyMap<string, readonly TensorPart[]>): Checkpoint {
    const places = new Map<string, StoredTensor>();
    for (const [name, place] of this.places) {
      const own = parts.get(name);
      if (!own) places.set(name, place);
      else {
        const file = new TensorParts(place.file, place.file.info(place.name), own);
        for (const part of own) places.set(part.name, { file, name: part.name });
      }
    }
    return new Checkpoint({ ...this, places });
  }

  /**
   * Returns the checkpoint with another configuration, and with tensors of other files in the place
   * of some or behind all; it shares the files, as what `select` returns.
   * @param files what holds a tensor under its own name, by that
   */
  overlay(config: JsonRecord, files: ReadonlyMap<string, WeightFile>): Checkpoint {
    const places = new Map(this.places);
    for (const [name, file] of files) places.set(name, { file, name });
    const packedForms = new Map([...this.packedForms].filter(([name]) => !files.has(name)));
    return new Checkpoint({ ...this, config, places, packedForms });
  }

  /** Returns the checkpoint with other notices or packed forms; it shares the files. */
  with(parts: Partial<Pick<CheckpointParts, "notices" | "packedForms">>): Checkpoint {
    return new Checkpoint({ ...this, places: this.places, ...parts });
  }

  /** Tells whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.places.has(name);
  }

  /** @throws FormatError when there is no tensor of this name */
  info(name: string): TensorInfo {
    const found = this.tensors.get(name);
    if (found) return found;
    const { file, name: stored } = this.place(name);
    return file.info(stored);
  }

  /** Views a tensor of the given dtype in the mapped file; see `WeightFile.viewAs`. */
  async viewAs<D extends DType>(name: string, dtype: D): Promise<ArrayOf[D]> {
    const place = this.place(name);
    return place.file.viewAs(place.name, dtype);
  }

  /** Fills `into` with the bytes of a tensor from `byteOffset` on. */
  async readInto(name: string, into: Uint8Array, byteOffset: number): Promise<void> {
    const place = this.place(name);
    return place.file.readInto(place.name, into, byteOffset);
  }

  /** Returns the path of the weight file that holds a tensor. */
  fileOf(name: string): string {
    return this.place(name).file.path;
  }

  /** Closes the weight files. */
  async close(): Promise<void> {
    await Promise.all(this.weightFiles.map((file) => file.close()));
  }

  private place(name: string): StoredTensor {
    return this.places.get(name) ?? this.packedPlace(name) ?? this.missing(name);
  }

  private packedPlace(name: string): StoredTensor | undefined {
    const module = name.slice(0, name.lastIndexOf("."));
    const form = this.packedForms.get(`${module}.weight`);
    return form?.place.name === name ? form.place : undefined;
  }

  private missing(name: string): never {
    throw new FormatError(`${baseName(this.path)} has no tensor ${quoteName(name)}`, {
      hint: "compare config.json with the weight files: they may belong to different models",
    });
  }
}

/** What of a directory is taken, and how. */
export interface DirectoryOptions {
  /** Whether tensors have the names that they are stored under, and not the standard ones. */
  readonly storedNames?: boolean;
  /** Whether all files belong to the checkpoint, and not only those that fewbit knows. */
  readonly allFiles?: boolean;
}

/**
 * Opens a checkpoint directory: config.json and model.safetensors, or the shards that
 * model.safetensors.index.json names.
 * @throws FormatError when the directory, its configuration or weights are missing, truncated or
 * malformed
 */
export async function openCheckpoint(
  path: string,
  options: DirectoryOptions = {},
): Promise<Checkpoint> {
  if ((await status(path))?.kind !== "directory") throw await explainMissingDirectory(path);
  if (!(await status(joinPath(path, "config.json")))) {
    throw missingConfig(
      path,
      (await listDirectory(path)).map(({ name }) => name),
      joinPath(path, "/"),
    );
  }
  const config = await readJsonObject(joinPath(path, "config.json"));
  return openWith(config, path, options);
}

/**
 * Opens the weight files of a directory that is not a checkpoint yet: one that is still being
 * written. Its configuration is empty.
 * @throws FormatError when they are missing, truncated or malformed
 */
export async function openUnfinishedCheckpoint(path: string): Promise<Checkpoint> {
  return openWith({}, path);
}

async function openWith(
  config: JsonRecord,
  path: string,
  { storedNames = false, allFiles = false }: DirectoryOptions = {},
): Promise<Checkpoint> {
  const { files: weightFiles, owners } = await openWeights(path);
  try {
    const stray = await strayShards(path);
    const notices =
      stray.length > 0
        ? [`shards that the index does not name are not read: ${listNames(stray)}`]
        : [];
    const places = placesOf(weightFiles, owners, storedNames);
    const files = new DirectoryFiles(path, allFiles ? isModelFile : isSidecarFile);
    return new Checkpoint({ path, config, files, weightFiles, places, notices });
  } catch (error) {
    await Promise.all(weightFiles.map((file) => file.close()));
    throw error;
  }
}

/**
 * Finds the places of all tensors that have an owner, by standard names unless they are to have the
 * stored ones, shard after shard.
 * @throws FormatError when two tensors have one name
 */
function placesOf(
  files: readonly WeightFile[],
  owners: ReadonlyMap<string, WeightFile>,
  storedNames: boolean,
): Map<string, StoredTensor> {
  const places = new Map<string, StoredTensor>();
  for (const file of files) {
    for (const name of file.tensors.keys()) {
      if (owners.get(name) !== file) continue;
      const standard = storedNames ? name : standardName(name);
      const other = places.get(standard);
      if (other) throw sameName(standard, other.name, name);
      places.set(standard, { file, name });
    }
  }
  return places;
}

function sameName(standard: string, first: string, second: string): FormatError {
  return new FormatError(
    `tensors ${quoteName(first)} and ${quoteName(second)} both stand for ${quoteName(standard)}`,
    { hint: "remove the one that does not belong to the model" },
  );
}
