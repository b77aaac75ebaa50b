import { createFile, type WritableFile } from "../../platform/node.ts";
import { UsageError } from "../../util/errors.ts";
import { formatCount, quoteName } from "../wording.ts";
import type { OnnxPlace } from "./onnx-types.ts";

/** Runtimes map files into memory: data begins where a cache line does. */
const alignment = 64;

/** Data that is written outside of the model's file. */
export interface OnnxDataEntry {
  readonly name: string;
  readonly sizeBytes: number;
}

/** A file of weights. */
export interface OnnxDataFile {
  readonly name: string;
  readonly sizeBytes: number;
}

/** Where all data goes. */
export interface OnnxDataLayout {
  readonly files: readonly OnnxDataFile[];
  readonly places: ReadonlyMap<string, OnnxPlace>;
}

/**
 * Lays data out, one after the other, in files of at most `limit` bytes each: `model.onnx_data`,
 * `model.onnx_data_1` and so on, as transformers.js asks for them.
 */
export function layOutOnnxData(
  model: string,
  entries: readonly OnnxDataEntry[],
  limit: number,
): OnnxDataLayout {
  const files: { name: string; sizeBytes: number }[] = [];
  const places = new Map<string, OnnxPlace>();
  for (const { name, sizeBytes } of entries) {
    let file = files.at(-1);
    const begin = Math.ceil((file?.sizeBytes ?? 0) / alignment) * alignment;
    if (!file || (begin > 0 && begin + sizeBytes > limit)) {
      const number = files.length === 0 ? "" : `_${files.length}`;
      file = { name: `${model}_data${number}`, sizeBytes: 0 };
      files.push(file);
    }
    const offset = Math.ceil(file.sizeBytes / alignment) * alignment;
    places.set(name, { location: file.name, offset, length: sizeBytes });
    file.sizeBytes = offset + sizeBytes;
  }
  return { files, places };
}

/** Writes data to its places, each from its beginning to its end, in parts. */
export class OnnxDataWriter {
  private readonly files: ReadonlyMap<string, WritableFile>;
  private readonly layout: OnnxDataLayout;
  private readonly written = new Map<string, number>();

  private constructor(files: ReadonlyMap<string, WritableFile>, layout: OnnxDataLayout) {
    this.files = files;
    this.layout = layout;
  }

  /**
   * Creates the files, which must not exist, in their full size.
   * @param pathOf the path of a file by its name
   * @throws FewbitError (code `FILE`) when a file cannot be written
   */
  static async create(
    layout: OnnxDataLayout,
    pathOf: (name: string) => string,
  ): Promise<OnnxDataWriter> {
    const files = new Map<string, WritableFile>();
    try {
      for (const { name, sizeBytes } of layout.files) {
        const file = await createFile(pathOf(name));
        files.set(name, file);
        await file.resize(sizeBytes);
      }
    } catch (error) {
      for (const file of files.values()) await file.close();
      throw error;
    }
    return new OnnxDataWriter(files, layout);
  }

  /**
   * Writes the next bytes of an entry.
   * @throws UsageError when there is no such entry, or it has fewer bytes
   * @throws FewbitError (code `FILE`) when the disk is full or fails
   */
  async write(name: string, data: ArrayBufferView): Promise<void> {
    const place = this.layout.places.get(name);
    const file = place && this.files.get(place.location);
    if (!place || !file) throw new UsageError(`data ${quoteName(name)} was not declared`);
    const before = this.written.get(name) ?? 0;
    const after = before + data.byteLength;
    if (after > place.length) {
      throw new UsageError(
        `data ${quoteName(name)} has ${formatCount(place.length)} bytes, got ${formatCount(after)}`,
      );
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await file.write(bytes, place.offset + before);
    this.written.set(name, after);
  }

  /** Makes the files durable and closes them. @throws UsageError when bytes were not written */
  async finish(): Promise<void> {
    for (const [name, { length }] of this.layout.places) {
      if ((this.written.get(name) ?? 0) === length) continue;
      throw new UsageError(`data ${quoteName(name)} was not written whole`);
    }
    for (const file of this.files.values()) await file.sync();
    await this.close();
  }

  /** Closes the files as they are. */
  async close(): Promise<void> {
    await Promise.all([...this.files.values()].map((file) => file.close()));
  }
}
