import { createFile, type WritableFile } from "../../platform/node.ts";
import { UsageError } from "../../util/errors.ts";
import { formatCount, quoteName } from "../wording.ts";
import type { GgufPart, GgufPlace } from "./gguf-layout.ts";

/** A tensor's place in one of the files, and how much of it was written. */
interface Written {
  readonly file: WritableFile;
  readonly place: GgufPlace;
  bytes: number;
}

/**
 * Writes the files of a model as they were laid out: the headers first, then the tensors' data, from
 * the beginning of each to its end, in parts.
 */
export class GgufWriter {
  private readonly files: readonly WritableFile[];
  private readonly tensors: ReadonlyMap<string, Written>;

  private constructor(files: readonly WritableFile[], tensors: ReadonlyMap<string, Written>) {
    this.files = files;
    this.tensors = tensors;
  }

  /**
   * Creates the files, which must not exist, in their full size.
   * @param paths where the parts are written
   * @throws FewbitError (code `FILE`) when a file cannot be written
   */
  static async create(parts: readonly GgufPart[], paths: readonly string[]): Promise<GgufWriter> {
    const files: WritableFile[] = [];
    const tensors = new Map<string, Written>();
    try {
      for (const [index, { header, sizeBytes, tensors: places }] of parts.entries()) {
        const file = await createFile(paths[index]);
        files.push(file);
        await file.resize(sizeBytes);
        await file.write(header, 0);
        for (const place of places) tensors.set(place.name, { file, place, bytes: 0 });
      }
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
    return new GgufWriter(files, tensors);
  }

  /**
   * Writes the next bytes of a tensor.
   * @throws UsageError when there is no such tensor, or it has fewer bytes
   * @throws FewbitError (code `FILE`) when the disk is full or fails
   */
  async write(name: string, data: ArrayBufferView): Promise<void> {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new UsageError(`tensor ${quoteName(name)} was not declared`);
    const { file, place, bytes } = tensor;
    const size = place.end - place.begin;
    if (bytes + data.byteLength > size) {
      throw new UsageError(
        `tensor ${quoteName(name)} has ${formatCount(size)} bytes, ` +
          `got ${formatCount(bytes + data.byteLength)}`,
      );
    }
    const part = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await file.write(part, place.begin + bytes);
    tensor.bytes += part.length;
  }

  /** Makes the files durable and closes them. @throws UsageError when bytes were not written */
  async finish(): Promise<void> {
    for (const { place, bytes } of this.tensors.values()) {
      if (bytes === place.end - place.begin) continue;
      await this.close();
      throw new UsageError(`tensor ${quoteName(place.name)} was not written whole`);
    }
    for (const file of this.files) await file.sync();
    await this.close();
  }

  /** Closes the files as they are; for work that is given up. */
  async close(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()));
  }
}
