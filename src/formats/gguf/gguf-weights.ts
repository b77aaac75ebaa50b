import { allocateBuffer, baseName } from "../../platform/node.ts";
import { type ArrayOf, type DType, viewArray } from "../../tensor/dtype.ts";
import { FormatError } from "../../util/errors.ts";
import type { TensorForm } from "../../nn/weight-source.ts";
import type { TensorInfo } from "../safetensors-header.ts";
import { bitsPerElement } from "../stored-dtype.ts";
import { toStoredForm, transpose } from "../tensor-forms.ts";
import { expectDType, expectInside, type WeightFile } from "../weight-file.ts";
import { quoteName } from "../wording.ts";
import type { GgufFile } from "./gguf-file.ts";
import type { GgufTensor } from "./gguf-header.ts";
import { GgufRows } from "./gguf-rows.ts";
import type { RowOrder } from "./row-order.ts";
import type { DecodeBlocks } from "./tables/index.ts";

/** How a tensor of a GGUF file stands in a checkpoint. */
export interface GgufView {
  /** The tensor of the file, cut to what it is of it. */
  readonly source: GgufTensor;
  /** Bytes of the file's tensor in front of that. */
  readonly at: number;
  readonly info: TensorInfo;
  /** Order of the rows in the file; null where it is the same. */
  readonly order: RowOrder | null;
  /** What makes float32 of its blocks when it is read; null where its bytes stay as they are. */
  readonly decode: DecodeBlocks | null;
  /** What checkpoints store in place of values as the file has them; null where it is the same. */
  readonly form: TensorForm | null;
}

/** Values that are decoded at a time: 4 MB as float32. */
const pieceValues = 2 ** 20;
/** Bytes that are put into order at a time. */
const pieceBytes = 2 ** 22;

/** A GGUF file as a weight file of a checkpoint: under its names, with its order of rows. */
export class GgufWeights implements WeightFile {
  readonly path: string;
  readonly stamp: string;
  readonly sizeBytes: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly file: GgufFile;
  private readonly views: ReadonlyMap<string, GgufView>;
  /** The last tensor that was put into another form: it is read in pieces. */
  private turned: { readonly name: string; readonly bytes: Uint8Array } | null = null;

  /** @param views by names in the checkpoint */
  constructor(file: GgufFile, views: ReadonlyMap<string, GgufView>) {
    this.path = file.path;
    this.stamp = file.stamp;
    this.sizeBytes = file.sizeBytes;
    this.file = file;
    this.views = views;
    this.tensors = new Map([...views].map(([name, { info }]) => [name, info]));
  }

  info(name: string): TensorInfo {
    return this.view(name).info;
  }

  async viewAs<D extends DType>(name: string, dtype: D): Promise<ArrayOf[D]> {
    const { source, at, info, order, decode, form } = this.view(name);
    expectDType(info, dtype);
    const size = info.end - info.begin;
    const width = bitsPerElement(dtype) / 8;
    const isStored = order === null && !decode && !form;
    const mapped = isStored ? this.file.view(source.name)?.subarray(at, at + size) : null;
    // Files may be aligned to less than an element.
    if (mapped && mapped.byteOffset % width === 0) {
      return viewArray(dtype, mapped.buffer, mapped.byteOffset, size / width) as ArrayOf[D];
    }
    const bytes = new Uint8Array(allocateBuffer(size, `tensor ${quoteName(name)}`));
    await this.readInto(name, bytes, 0);
    return viewArray(dtype, bytes.buffer, 0, size / width) as ArrayOf[D];
  }

  async readInto(name: string, into: Uint8Array, byteOffset: number): Promise<void> {
    const view = this.view(name);
    expectInside(view.info, byteOffset, into.length);
    if (into.length === 0) return;
    if (!view.form) return this.readValues(view, into, byteOffset);
    if (this.turned?.name !== name) {
      this.turned = { name, bytes: await this.turn(name, view, view.form) };
    }
    into.set(this.turned.bytes.subarray(byteOffset, byteOffset + into.length));
  }

  /** Reads bytes in the order of checkpoints, in the form of the file. */
  private async readValues(
    { source, at, order, decode }: GgufView,
    into: Uint8Array,
    byteOffset: number,
  ): Promise<void> {
    if (order === null && !decode) return this.file.readInto(source.name, into, at + byteOffset);
    const rows = new GgufRows(this.file, { ...source, at }, order);
    if (decode) await readDecoded(rows, source, decode, into, byteOffset);
    else await readOrdered(rows, into, byteOffset);
  }

  /** Reads a whole tensor in the form of checkpoints. */
  private async turn(name: string, view: GgufView, form: TensorForm): Promise<Uint8Array> {
    const { begin, end, dtype } = view.info;
    const bytes = new Uint8Array(allocateBuffer(end - begin, `tensor ${quoteName(name)}`));
    await this.readValues(view, bytes, 0);
    const { shape } = view.source;
    const values = dtype === "f32" ? new Float32Array(bytes.buffer) : new Uint16Array(bytes.buffer);
    const stored =
      values instanceof Float32Array
        ? toStoredForm(values, shape, form)
        : transpose(values, shape[0], shape[1]);
    return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  private view(name: string): GgufView {
    const view = this.views.get(name);
    if (view) return view;
    throw new FormatError(`${baseName(this.path)} has no tensor ${quoteName(name)}`);
  }
}

/** Reads bytes of rows, some megabytes at a time. */
async function readOrdered(rows: GgufRows, into: Uint8Array, byteOffset: number): Promise<void> {
  const { rowBytes } = rows;
  const step = Math.max(1, Math.floor(pieceBytes / rowBytes));
  await inPieces(rowBytes, step, into, byteOffset, async (first, count) => {
    const piece = new Uint8Array(count * rowBytes);
    await rows.read(first, piece);
    return piece;
  });
}

/** Decodes rows, some megabytes at a time. */
async function readDecoded(
  rows: GgufRows,
  { type, shape }: GgufTensor,
  decode: DecodeBlocks,
  into: Uint8Array,
  byteOffset: number,
): Promise<void> {
  const columns = shape.at(-1) ?? 1;
  const step = Math.max(1, Math.floor(pieceValues / columns));
  await inPieces(4 * columns, step, into, byteOffset, async (first, count) => {
    const blocks = new Uint8Array(count * rows.rowBytes);
    await rows.read(first, blocks);
    const values = new Float32Array(count * columns);
    decode(blocks, 0, blocks.length / type.bytes, values, 0);
    return new Uint8Array(values.buffer);
  });
}

/**
 * Fills `into` with the bytes of rows from `byteOffset` on.
 * @param read reads up to `step` whole rows of `rowBytes`
 */
async function inPieces(
  rowBytes: number,
  step: number,
  into: Uint8Array,
  byteOffset: number,
  read: (first: number, count: number) => Promise<Uint8Array>,
): Promise<void> {
  const end = Math.ceil((byteOffset + into.length) / rowBytes);
  for (let first = Math.floor(byteOffset / rowBytes); first < end; first += step) {
    const piece = await read(first, Math.min(step, end - first));
    const at = first * rowBytes - byteOffset;
    const from = Math.max(0, -at);
    const to = Math.min(piece.length, into.length - at);
    into.set(piece.subarray(from, to), at + from);
  }
}
