import { baseName, joinPath, writeText } from "../platform/node.ts";
import { UsageError } from "../util/errors.ts";
import { indexFileName, singleFileName } from "./checkpoint.ts";
import { formatJson } from "./json-file.ts";
import { type TensorEntry, tensorBytes } from "./safetensors-header.ts";
import { SafetensorsWriter } from "./safetensors-writer.ts";
import { quoteName } from "./wording.ts";

/** Largest data of one shard unless asked otherwise, in bytes. */
const defaultShardBytes = 5_000_000_000;

/** A weight file to be written. */
export interface Shard {
  readonly fileName: string;
  readonly entries: readonly TensorEntry[];
}

/**
 * Distributes tensors, in order, over files of at most `maxBytes` of data each; a tensor larger than
 * that has a file of its own. One file is named model.safetensors.
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
   * Creates the weight files in an existing directory.
   * @throws UsageError when a name comes twice
   * @throws FewbitError (code `FILE`) when they exist or cannot be written
   */
  static async create(
    path: string,
    entries: readonly TensorEntry[],
    options: { maxShardBytes?: number; metadata?: Readonly<Record<string, string>> } = {},
  ): Promise<CheckpointWriter> {
    const names = new Set<string>();
    for (const { name } of entries) {
      if (names.has(name)) throw new UsageError(`tensor name ${quoteName(name)} is taken`);
      names.add(name);
    }
    const shards: SafetensorsWriter[] = [];
    try {
      for (const shard of planShards(entries, options.maxShardBytes ?? defaultShardBytes)) {
        const file = joinPath(path, shard.fileName);
        shards.push(await SafetensorsWriter.create(file, shard.entries, options.metadata));
      }
    } catch (error) {
      await Promise.all(shards.map((shard) => shard.close()));
      throw error;
    }
    return new CheckpointWriter(path, shards);
  }

  /** Writes bytes of a tensor from `byteOffset` on; see `SafetensorsWriter.write`. */
  async write(name: string, data: ArrayBufferView, byteOffset = 0): Promise<void> {
    const shard = this.owners.get(name);
    if (!shard) throw new UsageError(`tensor ${quoteName(name)} was not declared`);
    await shard.write(name, data, byteOffset);
  }

  /**
   * Checks that every byte was written, makes the files durable, and writes the index when there are
   * several.
   * @throws UsageError when bytes are missing
   */
  async finish(): Promise<void> {
    let totalBytes = 0;
    const places: [string, string][] = [];
    for (const shard of this.shards) {
      await shard.finish();
      const fileName = baseName(shard.path);
      for (const { name, begin, end } of shard.tensors.values()) {
        totalBytes += end - begin;
        places.push([name, fileName]);
      }
    }
    if (this.shards.length === 1) return;
    places.sort(([a], [b]) => (a < b ? -1 : 1));
    const index = { metadata: { total_size: totalBytes }, weight_map: Object.fromEntries(places) };
    await writeText(joinPath(this.path, indexFileName), formatJson(index));
  }

  /** Closes the files as they are; for work that is given up. */
  async close(): Promise<void> {
    await Promise.all(this.shards.map((shard) => shard.close()));
  }
}
