import type { ReadableFile } from "../platform/node.ts";
import type { ArrayOf, DType } from "../tensor/dtype.ts";
import { FormatError, ShapeError } from "../util/errors.ts";
import type { TensorInfo } from "./safetensors-header.ts";
import { quoteName } from "./wording.ts";

/**
 * A file with weights of a checkpoint, open: tensors by name, of which parts are read. Reads may run
 * at the same time.
 */
export interface WeightFile {
  readonly path: string;
  /** What `fileStamp` gave when the file was opened. */
  readonly stamp: string;
  /** Bytes of the file. */
  readonly sizeBytes: number;
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** @throws FormatError when the file has no tensor of this name */
  info(name: string): TensorInfo;
  /**
   * Returns a tensor that must be of the given dtype and will not be written: where that can be, as
   * a view of the mapped file, which outlives `close`.
   * @throws FormatError when it is of another dtype, there is no such tensor, or the file ends early
   */
  viewAs<D extends DType>(name: string, dtype: D): Promise<ArrayOf[D]>;
  /**
   * Fills `into` with the bytes of a tensor from `byteOffset` on.
   * @throws FormatError when there is no such tensor or the file ends early
   * @throws ShapeError when the range is outside the tensor
   */
  readInto(name: string, into: Uint8Array, byteOffset: number): Promise<void>;
  close(): Promise<void>;
}

/** @throws FormatError when a tensor is of another dtype than expected */
export function expectDType({ name, dtype }: TensorInfo, expected: DType): void {
  if (dtype === expected) return;
  throw new FormatError(`tensor ${quoteName(name)}: expected ${expected}, the file has ${dtype}`);
}

/** @throws ShapeError when `count` bytes from `byteOffset` on are not all among those of a tensor */
export function expectInside(
  { name, begin, end }: Pick<TensorInfo, "name" | "begin" | "end">,
  byteOffset: number,
  count: number,
): void {
  const size = end - begin;
  if (byteOffset >= 0 && byteOffset + count <= size) return;
  throw new ShapeError(
    `tensor ${quoteName(name)}: bytes ${byteOffset}..${byteOffset + count} are outside its ${size}`,
  );
}

/** Fills `into` with the bytes of a file from `position` on. @throws FormatError when it ends early */
export async function readFully(
  file: ReadableFile,
  into: Uint8Array,
  position: number,
): Promise<void> {
  if ((await file.read(into, position)) === into.length) return;
  throw new FormatError(`${file.path} became shorter while it was read`, {
    hint: "do not change a checkpoint while it is in use",
  });
}
