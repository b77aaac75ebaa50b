import { allocateBuffer, baseName, openForReading, type ReadableFile } from "../platform/node.ts";
import { type ArrayOf, type DType, type TypedArray, viewArray } from "../tensor/dtype.ts";
import { FormatError } from "../util/errors.ts";
import {
  largestHeader,
  parseHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from "./safetensors-header.ts";
import { bitsPerElement, isArrayDType } from "./stored-dtype.ts";
import { expectDType, expectInside, readFully, type WeightFile } from "./weight-file.ts";
import { formatCount, quoteName } from "./wording.ts";

export type { TensorEntry, TensorInfo } from "./safetensors-header.ts";

/**
 * An open safetensors file. Only the header is held in memory; every read is a ranged read of what
 * was asked for. Reads may run at the same time.
 */
export class SafetensorsFile implements WeightFile {
  readonly path: string;
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Bytes of the file. */
  readonly sizeBytes: number;
  /** What `fileStamp` gave when the file was opened. */
  readonly stamp: string;
  private readonly file: ReadableFile;
  private readonly dataStart: number;

  constructor(file: ReadableFile, header: SafetensorsHeader, dataStart: number) {
    this.path = file.path;
    this.tensors = header.tensors;
    this.metadata = header.metadata;
    this.sizeBytes = file.sizeBytes;
    this.stamp = file.stamp;
    this.file = file;
    this.dataStart = dataStart;
  }

  /** @throws FormatError when the file has no tensor of this name */
  info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (!info) throw new FormatError(`${baseName(this.path)} has no tensor ${quoteName(name)}`);
    return info;
  }

  /**
   * Reads a tensor into an array of its own. 16-bit floats come as raw bits (`Uint16Array`), dtypes
   * without arrays (8-bit floats, ...) as bytes.
   * @throws FormatError when there is no such tensor or the file ends early
   * @throws OutOfMemoryError when there is no memory for it
   */
  async read(name: string): Promise<TypedArray> {
    const info = this.info(name);
    const size = info.end - info.begin;
    const bytes = new Uint8Array(allocateBuffer(size, `tensor ${quoteName(name)}`));
    await this.readInto(name, bytes, 0);
    if (!isArrayDType(info.dtype)) return bytes;
    const count = (bytes.length * 8) / bitsPerElement(info.dtype);
    return viewArray(info.dtype, bytes.buffer, 0, count);
  }

  /** Reads a tensor that must be of the given dtype. @throws FormatError when it is of another */
  async readAs<D extends DType>(name: string, dtype: D): Promise<ArrayOf[D]> {
    expectDType(this.info(name), dtype);
    return (await this.read(name)) as ArrayOf[D];
  }

  /**
   * Returns a tensor that must be of the given dtype and will not be written: as a view of the
   * mapped file where there is one, else read into an array. The view outlives `close`.
   * @throws FormatError when it is of another dtype, there is no such tensor, or the file ends
   * early
   */
  async viewAs<D extends DType>(name: string, dtype: D): Promise<ArrayOf[D]> {
    const info = this.info(name);
    expectDType(info, dtype);
    const start = this.dataStart + info.begin;
    const bytesPerElement = bitsPerElement(dtype) / 8;
    // Other programs do not always align tensors to their elements.
    const mapped = start % bytesPerElement === 0 ? this.file.map() : null;
    if (!mapped) return this.readAs(name, dtype);
    const count = (info.end - info.begin) / bytesPerElement;
    return viewArray(dtype, mapped, start, count) as ArrayOf[D];
  }

  /**
   * Fills `into` with the bytes of a tensor from `byteOffset` on: for tensors too large to hold at
   * once.
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
 * Opens a safetensors file and checks its header against its size.
 * @throws FormatError when the file is missing, truncated, or its header is not what the format
 * allows
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await openForReading(path);
  try {
    const { json, dataStart } = await readHeader(file);
    const header = parseHeader(json, baseName(path));
    checkDataSize(file, header.dataBytes, file.sizeBytes - dataStart);
    return new SafetensorsFile(file, header, dataStart);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readHeader(file: ReadableFile): Promise<{ json: string; dataStart: number }> {
  const name = baseName(file.path);
  const prefix = new Uint8Array(8);
  if ((await file.read(prefix, 0)) < prefix.length) {
    throw new FormatError(
      `${name} is truncated: it has ${file.sizeBytes} bytes, a header begins with 8`,
      { hint: downloadHint(file.path) },
    );
  }
  if (new TextDecoder("latin1").decode(prefix) === "version ") {
    throw new FormatError(`${name} is a Git LFS pointer, not the file itself`, {
      hint: "run git lfs pull in the folder of the model",
    });
  }
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(largestHeader)) {
    throw new FormatError(
      `${name} is not a safetensors file: its header would have ${length} bytes, 100 MB is the ` +
        "most",
    );
  }
  const headerBytes = Number(length);
  if (headerBytes > file.sizeBytes - 8) {
    throw new FormatError(
      `${name} is truncated: the header should have ${formatCount(headerBytes)} bytes, ` +
        `the file has ${formatCount(file.sizeBytes - 8)}`,
      { hint: downloadHint(file.path) },
    );
  }
  const bytes = new Uint8Array(headerBytes);
  const read = await file.read(bytes, 8);
  try {
    const json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(0, read),
    );
    return { json, dataStart: 8 + headerBytes };
  } catch (cause) {
    throw new FormatError(`${name} is not a safetensors file: its header is not UTF-8`, { cause });
  }
}

function checkDataSize(file: ReadableFile, promised: number, actual: number): void {
  if (actual < promised) {
    throw new FormatError(
      `${baseName(file.path)} is truncated: the header promises ${formatCount(promised)} bytes ` +
        "of data, " +
        `the file has ${formatCount(actual)}`,
      { hint: downloadHint(file.path) },
    );
  }
  if (actual > promised) {
    throw new FormatError(
      `${baseName(file.path)} has ${formatCount(actual - promised)} bytes after its last tensor`,
      { hint: downloadHint(file.path) },
    );
  }
}

function downloadHint(path: string): string {
  return `download ${path} again, or check the disk`;
}
