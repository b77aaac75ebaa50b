import type { Checkpoint } from "../../formats/checkpoint.ts";
import type { CheckpointWriter } from "../../formats/checkpoint-writer.ts";
import type { TensorInfo } from "../../formats/safetensors.ts";
import { isArrayDType } from "../../formats/stored-dtype.ts";
import type { DType } from "../../tensor/dtype.ts";
import { throwIfCancelled, UnsupportedError } from "../../util/errors.ts";

const pieceBytes = 16 * 2 ** 20;

/** Returns the dtype of a carried tensor. @throws UnsupportedError for 8-bit floats and the like */
export function writableDType({ name, dtype }: TensorInfo): DType {
  if (isArrayDType(dtype)) return dtype;
  throw new UnsupportedError(
    `tensor ${name} is ${dtype.toUpperCase()}, which cannot be carried over`,
    { hint: "take the original checkpoint in 16 or 32 bits" },
  );
}

/** Copies a tensor byte by byte from one checkpoint to another, some megabytes at a time. */
export async function copyTensor(
  checkpoint: Checkpoint,
  writer: CheckpointWriter,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const { begin, end } = checkpoint.info(name);
  const size = end - begin;
  const buffer = new Uint8Array(Math.min(size, pieceBytes));
  for (let offset = 0; offset < size; offset += pieceBytes) {
    throwIfCancelled(signal);
    const part = buffer.subarray(0, Math.min(pieceBytes, size - offset));
    await checkpoint.readInto(name, part, offset);
    await writer.write(name, part, offset);
  }
}
