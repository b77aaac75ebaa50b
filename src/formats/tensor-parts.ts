import { type ArrayOf, bytesPerElement, type DType } from "../tensor/dtype.ts";
import { elementCount, type Shape } from "../tensor/shape.ts";
import { expectInside, type WeightFile } from "./weight-file.ts";
import type { TensorInfo } from "./safetensors-header.ts";
import { FormatError } from "../util/errors.ts";
import { quoteName } from "./wording.ts";

/** A part of a tensor, seen as one of its own: so many elements from one of them on. */
export interface TensorPart {
  readonly name: string;
  readonly shape: Shape;
  /** Elements in front of it. */
  readonly offset: number;
}

/** Parts of one tensor of a file, under names of their own; the file stays whose it is. */
export class TensorParts implements WeightFile {
  readonly path: string;
  readonly stamp: string;
  readonly sizeBytes: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly file: WeightFile;
  private readonly whole: TensorInfo;

  constructor(file: WeightFile, whole: TensorInfo, parts: readonly TensorPart[]) {
    this.file = file;
    this.whole = whole;
    this.path = file.path;
    this.stamp = file.stamp;
    this.sizeBytes = file.sizeBytes;
    const width = (whole.end - whole.begin) / Math.max(1, elementCount(whole.shape));
    this.tensors = new Map(
      parts.map(({ name, shape, offset }) => {
        const begin = whole.begin + offset * width;
        const end = begin + elementCount(shape) * width;
        return [name, { ...whole, name, shape, begin, end }];
      }),
    );
  }

  info(name: string): TensorInfo {
    const found = this.tensors.get(name);
    if (found) return found;
    throw new FormatError(`${quoteName(this.whole.name)} has no part ${quoteName(name)}`);
  }

  async viewAs<D extends DType>(name: string, dtype: D): Promise<ArrayOf[D]> {
    const { begin, end } = this.info(name);
    const whole = await this.file.viewAs(this.whole.name, dtype);
    const width = bytesPerElement(dtype);
    const first = (begin - this.whole.begin) / width;
    return whole.subarray(first, first + (end - begin) / width) as ArrayOf[D];
  }

  async readInto(name: string, into: Uint8Array, byteOffset: number): Promise<void> {
    const info = this.info(name);
    expectInside(info, byteOffset, into.length);
    await this.file.readInto(this.whole.name, into, info.begin - this.whole.begin + byteOffset);
  }

  /** Nothing: the file is closed by who opened it. */
  async close(): Promise<void> {}
}
