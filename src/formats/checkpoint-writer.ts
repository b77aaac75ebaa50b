import { baseName, joinPath, writeText } from "../platform/node.ts";
import { UsageError } from "../util/errors.ts";
import { indexFileName, singleFileName } from "./weight-files.ts";
import { formatJson } from "./json-file.ts";
import {
  encodeHeader,
  layOutTensors,
  type TensorEntry,
  tensorBytes,
} from "./safetensors-header.ts";
import { SafetensorsWriter } from "./safetensors-writer.ts";
import { quoteName } from "./wording.ts";

/** Largest data of one shard unless asked otherwise, in bytes. */
const defaultShardBytes = 5_000_000_000;

/** How weight files are written. */
export interface WriterOptions {
  /** Bytes of data of a shard at most; 5 GB unless given. */
  readonly maxShardBytes?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A weight file to be written. */
export interface Shard {
  readonly fileName: string;
  readonly entries: readonly TensorEntry[];
}

/**
 * Distributes tensors, in order, over files of at most `maxBytes` of data each; a tensor larger
 * than that has a file of its own. One file is named model.safetensors.
 */
export function planShards(entries: readonly TensorEntry[], maxBytes: number): Shard[] {
  const groups: TensorEntry[][] = [[]];
  let size = 0;
  for (const entry of entries) {
    const bytes = tensorBytes(entry.dtype, entry.shape) ?? 0;
    if (size > 0 && size + bytes > maxBytes) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)?.push(entry);
    size += bytes;
  }
  if (groups.length === 1) return [{ fileName: singleFileName, entries }];
  const count = String(groups.length).padStart(5, "0");
  return groups.map((group, i) => ({
    fileName: `model-${String(i + 1).padStart(5, "0")}-of-${count}.safetensors`,
    entries: group,
  }));
}

/** Bytes of the weight files that tensors would be written to, headers included, the index not. */
export function plannedFileBytes(
  entries: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>>,
): number {
  return planShards(entries, defaultShardBytes)
    .map((shard) => {
      const placed = layOutTensors(shard.entries);
      const end = Math.max(0, ...[...placed.values()].map((tensor) => tensor.end));
      return encodeHeader(placed, metadata).length + end;
    })
    .reduce((sum, bytes) => sum + bytes, 0);
}

/** Writes the weights of a checkpoint: declared first, then written in any order and in parts. */
export class CheckpointWriter {
  readonly path: string;
  private readonly shards: readonly SafetensorsWriter[];
  private readonly owners: ReadonlyMap<string, SafetensorsWriter>;

  private constructor(path: string, shards: readonly SafetensorsWriter[]) {
    this.path = path;
    this.shards = shards;
    this.owners = new Map(
      shards.flatMap((shard) => [...shard.tensors.keys()].map((name) => [name, shard] as const)),
    );
  }

  /**
   * Creates the weight files in an existing directory, and the index when there are several.
   * @throws UsageError when a name comes twice
   * @throws FewbitError (code `FILE`) when they exist or cannot be written
   */
  static async create(
    path: string,
    entries: readonly TensorEntry[],
    options: WriterOptions = {},
  ): Promise<CheckpointWriter> {
    expectOwnNames(entries);
    const writer = await CheckpointWriter.open(path, entries, options, "create");
    await writer.writeIndex();
    return writer;
  }

  /**
   * Resumes with files that `create` made for the same entries; see `SafetensorsWriter.reopen`.
   * @throws FormatError when a file is missing, or is of other tensors
   */
  static async reopen(
    path: string,
    entries: readonly TensorEntry[],
    options: WriterOptions = {},
  ): Promise<CheckpointWriter> {
    return CheckpointWriter.open(path, entries, options, "reopen");
  }

  private static async open(
    path: string,
    entries: readonly TensorEntry[],
    options: WriterOptions,
    how: "create" | "reopen",
  ): Promise<CheckpointWriter> {
    const shards: SafetensorsWriter[] = [];
    try {
      for (const shard of planShards(entries, options.maxShardBytes ?? defaultShardBytes)) {
        const file = joinPath(path, shard.fileName);
        shards.push(await SafetensorsWriter[how](file, shard.entries, options.metadata));
      }
    } catch (error) {
      await Promise.all(shards.map((shard) => shard.close()));
      throw error;
    }
    return new CheckpointWriter(path, shards);
  }

  /** Names of the files that hold the weights, the index included. */
  get fileNames(): string[] {
    const names = this.shards.map((shard) => baseName(shard.path));
    return names.length > 1 ? [...names, indexFileName] : names;
  }

  /** Writes bytes of a tensor from `byteOffset` on; see `SafetensorsWriter.write`. */
  async write(name: string, data: ArrayBufferView, byteOffset = 0): Promise<void> {
    await this.owner(name).write(name, data, byteOffset);
  }

  /** Counts a tensor as written; see `SafetensorsWriter.keep`. */
  keep(name: string): void {
    this.owner(name).keep(name);
  }

  /** Makes what was written so far durable. */
  async sync(): Promise<void> {
    for (const shard of this.shards) await shard.sync();
  }

  /** Makes the files durable. @throws UsageError when bytes were not written */
  async finish(): Promise<void> {
    for (const shard of this.shards) await shard.finish();
  }

  /** Closes the files as they are; for work that is given up. */
  async close(): Promise<void> {
    await Promise.all(this.shards.map((shard) => shard.close()));
  }

  private owner(name: string): SafetensorsWriter {
    const shard = this.owners.get(name);
    if (shard) return shard;
    throw new UsageError(`tensor ${quoteName(name)} was not declared`);
  }

  private async writeIndex(): Promise<void> {
    if (this.shards.length === 1) return;
    let totalBytes = 0;
    const places: [string, string][] = [];
    for (const shard of this.shards) {
      for (const { name, begin, end } of shard.tensors.values()) {
        totalBytes += end - begin;
        places.push([name, baseName(shard.path)]);
      }
    }
    places.sort(([a], [b]) => (a < b ? -1 : 1));
    const index = { metadata: { total_size: totalBytes }, weight_map: Object.fromEntries(places) };
    await writeText(joinPath(this.path, indexFileName), formatJson(index));
  }
}

/** @throws UsageError when a name comes twice, in whichever files */
function expectOwnNames(entries: readonly TensorEntry[]): void {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw new UsageError(`tensor name ${quoteName(name)} is taken`);
    names.add(name);
  }
}
