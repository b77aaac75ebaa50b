import type { ArrayOf, DType } from "../tensor/dtype.ts";
import type { TensorInfo } from "./safetensors-header.ts";

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
