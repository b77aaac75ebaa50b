import { createFile, openForReading, openForWriting, type WritableFile } from "../platform/node.ts";
import { FormatError, UsageError } from "../util/errors.ts";
import {
  encodeHeader,
  layOutTensors,
  type TensorEntry,
  type TensorInfo,
} from "./safetensors-header.ts";
import { formatCount, quoteName } from "./wording.ts";

type Metadata = Readonly<Record<string, string>>;

/** Bytes `[begin, end)` of a tensor. */
type Range = [begin: number, end: number];

/**
 * Writes a safetensors file whose tensors are all declared first; their data then comes in any
 * order and in parts, so that no tensor has to be in memory whole.
 */
export class SafetensorsWriter {
  readonly path: string;
  /** Where each tensor goes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly file: WritableFile;
  private readonly dataStart: number;
  /** What was written of each tensor: ranges in order that do not touch. */
  private readonly written = new Map<string, Range[]>();

  private constructor(
    path: string,
    tensors: ReadonlyMap<string, TensorInfo>,
    file: WritableFile,
    dataStart: number,
  ) {
    this.path = path;
    this.tensors = tensors;
    this.file = file;
    this.dataStart = dataStart;
  }

  /**
   * Creates the file, which must not exist, in its full size, and writes its header. Until they are
   * written, tensors are zero.
   * @throws UsageError when a name comes twice
   * @throws FewbitError (code `FILE`) when the file cannot be written
   */
  static async create(
    path: string,
    entries: readonly TensorEntry[],
    metadata?: Metadata,
  ): Promise<SafetensorsWriter> {
    const { tensors, header, sizeBytes } = planFile(entries, metadata);
    const file = await createFile(path);
    const writer = new SafetensorsWriter(path, tensors, file, header.length);
    try {
      await file.write(header, 0);
      await file.resize(sizeBytes);
    } catch (error) {
      await writer.close();
      throw error;
    }
    return writer;
  }

  /**
   * Resumes with a file that `create` made for the same tensors. What was written counts as missing
   * until it is written again or passed to `keep`.
   * @throws FormatError when the file is missing, or is of other tensors
   */
  static async reopen(
    path: string,
    entries: readonly TensorEntry[],
    metadata?: Metadata,
  ): Promise<SafetensorsWriter> {
    const { tensors, header, sizeBytes } = planFile(entries, metadata);
    await expectStart(path, header, sizeBytes);
    return new SafetensorsWriter(path, tensors, await openForWriting(path), header.length);
  }

  /** Counts a tensor as written: it is in the file already, and whole. */
  keep(name: string): void {
    const info = this.tensors.get(name);
    if (!info) throw new UsageError(`tensor ${quoteName(name)} was not declared`);
    this.written.set(name, mergeRange([], [0, info.end - info.begin]));
  }

  /**
   * Writes bytes of a tensor from `byteOffset` on; arrays of any type are written as they are in
   * memory.
   * @throws UsageError when the tensor was not declared or the bytes are outside it
   * @throws FewbitError (code `FILE`) when the disk is full or fails
   */
  async write(name: string, data: ArrayBufferView, byteOffset = 0): Promise<void> {
    const info = this.tensors.get(name);
    if (!info) throw new UsageError(`tensor ${quoteName(name)} was not declared`);
    const end = byteOffset + data.byteLength;
    if (byteOffset < 0 || end > info.end - info.begin) {
      throw new UsageError(
        `tensor ${quoteName(name)} has ${formatCount(info.end - info.begin)} bytes, ` +
          `got bytes ${formatCount(byteOffset)} to ${formatCount(end)}`,
      );
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await this.file.write(bytes, this.dataStart + info.begin + byteOffset);
    this.written.set(name, mergeRange(this.written.get(name) ?? [], [byteOffset, end]));
  }

  /** Makes what was written so far durable. */
  async sync(): Promise<void> {
    await this.file.sync();
  }

  /** Makes the file durable and closes it. @throws UsageError when bytes were not written */
  async finish(): Promise<void> {
    for (const { name, begin, end } of this.tensors.values()) {
      const [first, ...others] = this.written.get(name) ?? [];
      const isWhole = first?.[0] === 0 && first[1] === end - begin && others.length === 0;
      if (end > begin && !isWhole) {
        await this.close();
        throw new UsageError(`tensor ${quoteName(name)} was not written whole`);
      }
    }
    await this.file.sync();
    await this.close();
  }

  /** Closes the file as it is; for work that is given up. */
  async close(): Promise<void> {
    await this.file.close();
  }
}

function planFile(entries: readonly TensorEntry[], metadata: Metadata = { format: "pt" }) {
  const tensors = layOutTensors(entries);
  const header = encodeHeader(tensors, metadata);
  const sizeBytes = [...tensors.values()].reduce(
    (most, { end }) => Math.max(most, header.length + end),
    header.length,
  );
  return { tensors, header, sizeBytes };
}

/** @throws FormatError unless the file begins with `header` and has `sizeBytes` */
async function expectStart(path: string, header: Uint8Array, sizeBytes: number): Promise<void> {
  const file = await openForReading(path);
  try {
    const found = new Uint8Array(header.length);
    await file.read(found, 0);
    const isSame = file.sizeBytes === sizeBytes && found.every((byte, i) => byte === header[i]);
    if (!isSame) throw new FormatError(`${path} was begun for other tensors`);
  } finally {
    await file.close();
  }
}

/** Adds a range to ordered ranges, joining those that touch. */
function mergeRange(ranges: readonly Range[], added: Range): Range[] {
  const [begin, end] = added;
  if (begin === end) return [...ranges];
  const before = ranges.filter((range) => range[1] < begin);
  const after = ranges.filter((range) => range[0] > end);
  const touching = ranges.slice(before.length, ranges.length - after.length);
  const joined: Range = [
    Math.min(begin, touching[0]?.[0] ?? begin),
    Math.max(end, touching.at(-1)?.[1] ?? end),
  ];
  return [...before, joined, ...after];
}
