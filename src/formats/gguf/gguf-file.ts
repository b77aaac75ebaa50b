import { baseName, openForReading, type ReadableFile } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { expectInside, readFully } from "../weight-file.ts";
import { quoteName } from "../wording.ts";
import { type GgufHeader, type GgufTensor, readGgufHeader } from "./gguf-header.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";

/**
 * An open GGUF file, or one part of a split one. The header is held in memory; every read of a
 * tensor is a ranged read, or a view of the mapped file. Reads may run at the same time.
 */
export class GgufFile {
  readonly path: string;
  readonly version: number;
  readonly metadata: GgufMetadata;
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Bytes of the file. */
  readonly sizeBytes: number;
  /** What `fileStamp` gave when the file was opened. */
  readonly stamp: string;
  private readonly file: ReadableFile;
  private readonly dataStart: number;

  constructor(file: ReadableFile, header: GgufHeader) {
    this.path = file.path;
    this.version = header.version;
    this.metadata = header.metadata;
    this.tensors = header.tensors;
    this.sizeBytes = file.sizeBytes;
    this.stamp = file.stamp;
    this.file = file;
    this.dataStart = header.dataStart;
  }

  /** @throws FormatError when the file has no tensor of this name */
  info(name: string): GgufTensor {
    const info = this.tensors.get(name);
    if (!info) throw new FormatError(`${baseName(this.path)} has no tensor ${quoteName(name)}`);
    return info;
  }

  /** Returns the bytes of a tensor in the mapped file; null where files are not mapped. */
  view(name: string): Uint8Array<ArrayBuffer> | null {
    const { begin, end } = this.info(name);
    const mapped = this.file.map();
    return mapped && new Uint8Array(mapped, this.dataStart + begin, end - begin);
  }

  /**
   * Fills `into` with the bytes of a tensor from `byteOffset` on.
   * @throws FormatError when there is no such tensor or the file ends early
   * @throws ShapeError when the range is outside the tensor
   */
  async readInto(name: string, into: Uint8Array, byteOffset: number): Promise<void> {
    const info = this.info(name);
    expectInside(info, byteOffset, into.length);
    await readFully(this.file, into, this.dataStart + info.begin + byteOffset);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/**
 * Opens a GGUF file and checks its header against its size.
 * @throws FormatError when the file is missing, truncated, or not what the format allows
 * @throws UnsupportedError for versions, byte orders and types that are not read
 */
export async function openGgufFile(path: string): Promise<GgufFile> {
  const file = await openForReading(path);
  try {
    return new GgufFile(file, await readGgufHeader(file));
  } catch (error) {
    await file.close();
    throw error;
  }
}
