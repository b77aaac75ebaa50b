import { allocateBuffer } from "../platform/node.ts";
import { bytesPerElement, type DType, type TypedArray, viewArray } from "../tensor/dtype.ts";
import type { Storage } from "./kernels.ts";

const alignment = 64;
const spareBytes = 256 * 2 ** 20;
/** A request gets a buffer of up to so many times its size before a new one is made. */
const mostWasted = 2;

/**
 * Memory of the CPU backends: typed arrays, with released buffers kept for the next allocation of
 * the same size, or of one down to half of it: a forward pass, or a step of training, does not fault
 * its pages in again for every op, and sizes that differ each time, as those of experts' tokens do,
 * do not leave a buffer each. Besides the most that was ever lent at once, a half of that or 256 MiB
 * may lie idle; the sizes that were given back longest ago go first. All idle ones make room for a new
 * buffer that is larger than 256 MiB and than a quarter of the most that was lent.
 */
export class CpuMemory {
  /** Released buffers by their size, the size that was last given back at the end. */
  private readonly free = new Map<number, ArrayBuffer[]>();
  private readonly lent = new WeakSet<Storage>();
  private retainedBytes = 0;
  private lentBytes = 0;
  private mostLentBytes = 0;

  /** Hands out a typed array with undefined contents. @throws OutOfMemoryError */
  allocate(dtype: DType, length: number): Storage {
    const bytes = roundUp(length * bytesPerElement(dtype), alignment);
    const buffer = this.takeBuffer(bytes);
    this.lentBytes += buffer.byteLength;
    this.mostLentBytes = Math.max(this.mostLentBytes, this.lentBytes);
    const storage = viewArray(dtype, buffer, 0, length);
    this.lent.add(storage);
    return storage;
  }

  /**
   * Takes a typed array from `allocate` back; others are left to the garbage collector, and a
   * second release does nothing, even when the bytes were handed out again.
   */
  release(storage: Storage): void {
    if (!this.lent.delete(storage)) return;
    const { buffer } = storage as TypedArray;
    const bytes = buffer.byteLength;
    this.lentBytes -= bytes;
    this.retainedBytes += bytes;
    const list = this.free.get(bytes) ?? [];
    list.push(buffer as ArrayBuffer);
    this.free.delete(bytes);
    this.free.set(bytes, list);
  }

  /** Takes note of an array that somebody else has made: idle buffers make room for it. */
  adopt(array: TypedArray): Storage {
    this.makeRoom(this.lentBytes, array.byteLength);
    return array;
  }

  private takeBuffer(bytes: number): ArrayBuffer {
    const buffer = this.takeFree(this.closest(bytes, bytes * mostWasted));
    if (buffer) return buffer;
    // The new one can stand in for one that was too small, so that sizes which grow leave no trail.
    this.takeFree(this.closest(bytes / mostWasted, bytes));
    this.makeRoom(this.lentBytes + bytes, bytes);
    return allocateBuffer(bytes, "a tensor");
  }

  /** Lets idle buffers go for `bytes` that are new, where so many are lent. */
  private makeRoom(lent: number, bytes: number): void {
    const most = Math.max(lent, this.mostLentBytes);
    if (bytes > Math.max(spareBytes, most / 4)) this.letGo(this.retainedBytes);
    else this.letGo(lent + this.retainedBytes - most - Math.max(spareBytes, most / 2));
  }

  /** The smallest size from `least` to `most` of which a buffer is free; null without one. */
  private closest(least: number, most: number): number | null {
    if (this.free.has(least)) return least;
    let closest: number | null = null;
    for (const size of this.free.keys()) {
      if (size >= least && size <= (closest ?? most)) closest = size;
    }
    return closest;
  }

  private takeFree(size: number | null): ArrayBuffer | undefined {
    if (size === null) return undefined;
    const list = this.free.get(size);
    const buffer = list?.pop();
    if (list?.length === 0) this.free.delete(size);
    if (buffer) this.retainedBytes -= size;
    return buffer;
  }

  /** Leaves at least so many retained bytes to the garbage collector, if there are so many. */
  private letGo(bytes: number): void {
    let rest = bytes;
    for (const [size, list] of this.free) {
      while (rest > 0 && list.pop()) {
        rest -= size;
        this.retainedBytes -= size;
      }
      if (rest <= 0) return;
      this.free.delete(size);
    }
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
