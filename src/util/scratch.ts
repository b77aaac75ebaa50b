/**
 * Memory that is used again, an array for each name, in which stands what was put there last: for
 * work that does the same with one weight after the other. Arrays that live for one weight only cost
 * more than the work itself: their pages are cleared, and collecting them takes processor time.
 */
export class Scratch {
  private readonly buffers = new Map<string, ArrayBuffer>();

  /** Bytes; they hold anything. */
  bytes(name: string, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.take(name, length), 0, length);
  }

  /** Numbers of 16 bits; they hold anything. */
  halves(name: string, length: number): Uint16Array<ArrayBuffer> {
    return new Uint16Array(this.take(name, 2 * length), 0, length);
  }

  /** Words of 32 bits; they hold anything. */
  words(name: string, length: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.take(name, 4 * length), 0, length);
  }

  /** Signed integers of 32 bits; they hold anything. */
  integers(name: string, length: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.take(name, 4 * length), 0, length);
  }

  /** Float32 values; they hold anything. */
  floats(name: string, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.take(name, 4 * length), 0, length);
  }

  /** Float64 values; they hold anything. */
  doubles(name: string, length: number): Float64Array<ArrayBuffer> {
    return new Float64Array(this.take(name, 8 * length), 0, length);
  }

  private take(name: string, sizeBytes: number): ArrayBuffer {
    const before = this.buffers.get(name);
    if (before && before.byteLength >= sizeBytes) return before;
    const made = new ArrayBuffer(sizeBytes);
    this.buffers.set(name, made);
    return made;
  }
}
