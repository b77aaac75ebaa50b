import { bytesPerElement, type DType, type TypedArray, viewArray } from "../tensor/dtype.ts";
import type { Storage } from "./kernels.ts";

const alignment = 64;
const retainedBytesLimit = 256 * 2 ** 20;

/**
 * Memory of the CPU backends: typed arrays, with released buffers kept for the next allocation of the
 * same size, so that a forward pass does not fault its pages in again for every op.
 */
export class CpuMemory {
  private readonly free = new Map<number, ArrayBuffer[]>();
  private readonly lent = new WeakSet<Storage>();
  private retainedBytes = 0;

  /** Hands out a typed array with undefined contents. */
  allocate(dtype: DType, length: number): Storage {
    const bytes = roundUp(length * bytesPerElement(dtype), alignment);
    const list = this.free.get(bytes);
    let buffer = list?.pop();
    if (buffer) this.retainedBytes -= bytes;
    else buffer = new ArrayBuffer(bytes);
    const storage = viewArray(dtype, buffer, 0, length);
    this.lent.add(storage);
    return storage;
  }

  /**
   * Takes a typed array from `allocate` back; others are left to the garbage collector, and a second
   * release does nothing, even when the bytes were handed out again.
   */
  release(storage: Storage): void {
    if (!this.lent.delete(storage)) return;
    const { buffer } = storage as TypedArray;
    const bytes = buffer.byteLength;
    if (this.retainedBytes + bytes > retainedBytesLimit) return;
    this.retainedBytes += bytes;
    const list = this.free.get(bytes);
    if (list) list.push(buffer as ArrayBuffer);
    else this.free.set(bytes, [buffer as ArrayBuffer]);
  }

  /** Views a part of a typed array. */
  view(storage: Storage, dtype: DType, offset: number, length: number): Storage {
    const array = storage as TypedArray;
    const byteOffset = array.byteOffset + offset * bytesPerElement(dtype);
    return viewArray(dtype, array.buffer, byteOffset, length);
  }

  /** Copies elements out. */
  copy(storage: Storage, length: number): TypedArray {
    return (storage as TypedArray).slice(0, length);
  }
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
