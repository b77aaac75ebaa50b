import { type FileHandle, open } from "node:fs/promises";
import { elementCount } from "../../src/tensor/shape.ts";
import { Prng } from "../../src/util/prng.ts";
import { type GgmlType, ggmlBytes, ggmlFormats, randomBlocks } from "./gguf-blocks.ts";

/*
 * A writer of GGUF files, version 3, with random weights (github.com/ggml-org/ggml, docs/gguf.md):
 *
 *   "GGUF" | version | tensors | entries | entries … | tensor descriptions … | padding | data, each aligned
 */

/** A value of the metadata with its type. */
export type GgufValue =
  | { readonly type: "u32" | "i32" | "f32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "f32[]" | "i32[]"; readonly value: readonly number[] }
  | { readonly type: "string[]"; readonly value: readonly string[] };

/** A tensor to be written: random blocks, or ones for F32. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  /** Rows of matrices lie in the last dimension, as `[outFeatures, inFeatures]`. */
  readonly shape: readonly number[];
}

const alignment = 32;
const typeIds = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;
const poolBlocks = 1 << 13;

/** Writes a file of random tensors; returns its size in bytes. */
export async function writeRandomGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Promise<number> {
  const header = encodeHeader(metadata, tensors);
  const file = await open(path, "w");
  try {
    await writeAll(file, header);
    let size = header.length;
    const source = randomSource();
    for (const { type, shape } of tensors) {
      const bytes = ggmlBytes(type, elementCount(shape));
      for (const part of source(type, bytes)) await writeAll(file, part);
      await writeAll(file, new Uint8Array(aligned(bytes) - bytes));
      size += aligned(bytes);
    }
    return size;
  } finally {
    await file.close();
  }
}

/** Encodes everything before the data, padded to where the data begins. */
export function encodeHeader(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Uint8Array {
  const bytes = new ByteSink();
  bytes.raw(new TextEncoder().encode("GGUF"));
  bytes.u32(3);
  bytes.u64(tensors.length);
  bytes.u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    bytes.text(key);
    writeValue(bytes, value);
  }
  let offset = 0;
  for (const { name, type, shape } of tensors) {
    bytes.text(name);
    bytes.u32(shape.length);
    for (const size of [...shape].reverse()) bytes.u64(size);
    bytes.u32(ggmlFormats[type].id);
    bytes.u64(offset);
    offset += aligned(ggmlBytes(type, elementCount(shape)));
  }
  bytes.raw(new Uint8Array(aligned(bytes.length) - bytes.length));
  return bytes.finish();
}

function writeValue(bytes: ByteSink, { type, value }: GgufValue): void {
  switch (type) {
    case "bool":
      bytes.u32(typeIds.bool);
      bytes.raw(Uint8Array.of(value ? 1 : 0));
      break;
    case "string":
      bytes.u32(typeIds.string);
      bytes.text(value);
      break;
    case "string[]":
      startArray(bytes, typeIds.string, value.length);
      for (const text of value) bytes.text(text);
      break;
    case "f32[]":
    case "i32[]": {
      const element = type === "f32[]" ? "f32" : "i32";
      startArray(bytes, typeIds[element], value.length);
      for (const number of value) bytes.number(element, number);
      break;
    }
    default:
      bytes.u32(typeIds[type]);
      bytes.number(type, value);
  }
}

function startArray(bytes: ByteSink, elementType: number, length: number): void {
  bytes.u32(typeIds.array);
  bytes.u32(elementType);
  bytes.u64(length);
}

/**
 * Gives random blocks of a type, from a pool of its own that each tensor enters at another place.
 */
function randomSource(): (type: GgmlType, bytes: number) => Generator<Uint8Array> {
  const pools = new Map<GgmlType, Uint8Array>();
  const random = new Prng(1);
  return function* (type, bytes) {
    const pool = pools.get(type) ?? randomBlocks(type, poolBlocks, ggmlFormats[type].id);
    pools.set(type, pool);
    let from = random.below(poolBlocks) * ggmlFormats[type].bytes;
    for (let left = bytes; left > 0; from = 0) {
      const part = pool.subarray(from, from + left);
      yield part;
      left -= part.length;
    }
  };
}

async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.length; ) {
    done += (await file.write(data, done)).bytesWritten;
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Bytes that grow at the end. */
class ByteSink {
  length = 0;
  private buffer: Uint8Array = new Uint8Array(1 << 16);

  raw(data: Uint8Array): void {
    this.room(data.length);
    this.buffer.set(data, this.length);
    this.length += data.length;
  }

  u32(value: number): void {
    this.number("u32", value);
  }

  u64(value: number): void {
    this.u32(value % 2 ** 32);
    this.u32(Math.floor(value / 2 ** 32));
  }

  text(value: string): void {
    const encoded = new TextEncoder().encode(value);
    this.u64(encoded.length);
    this.raw(encoded);
  }

  number(type: "u32" | "i32" | "f32", value: number): void {
    this.room(4);
    const view = new DataView(this.buffer.buffer, this.length, 4);
    if (type === "f32") view.setFloat32(0, value, true);
    else if (type === "i32") view.setInt32(0, value, true);
    else view.setUint32(0, value, true);
    this.length += 4;
  }

  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = new Uint8Array(2 * (this.length + bytes));
    grown.set(this.buffer);
    this.buffer = grown;
  }
}
