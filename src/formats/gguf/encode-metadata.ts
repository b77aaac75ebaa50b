import { type GgufValue, type GgufValueType, ggufValueTypes } from "./gguf-metadata.ts";

const typeIds: ReadonlyMap<GgufValueType, number> = new Map(
  ggufValueTypes.map((type, id) => [type, id]),
);

/** Bytes that grow at their end, little-endian as GGUF files are. */
export class ByteSink {
  private bytes = new Uint8Array(64 * 1024);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  /** What was written. */
  get written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Adds a number of 32 bits. */
  u32(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, value, true);
  }

  /** Adds a number of 64 bits. */
  u64(value: number | bigint): void {
    const at = this.reserve(8);
    this.view.setBigUint64(at, BigInt(value), true);
  }

  /** Adds a string: its length in bytes, then UTF-8. */
  string(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    this.append(bytes);
  }

  /** Adds the bytes of an array as they are in memory. */
  append(data: ArrayBufferView): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  private reserve(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, 2 * this.bytes.length));
      grown.set(this.bytes);
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }
}

/** Adds a key and its value as GGUF files have them. */
export function encodeMetadataValue(sink: ByteSink, key: string, value: GgufValue): void {
  sink.string(key);
  sink.u32(idOf(value.type));
  if (value.type !== "array") {
    encodeScalar(sink, value);
    return;
  }
  sink.u32(idOf(value.elements));
  sink.u64(value.length);
  if (value.elements === "string") for (const each of value.values) sink.string(each);
  else sink.append(value.values);
}

function encodeScalar(sink: ByteSink, given: Exclude<GgufValue, { type: "array" }>): void {
  const { type, value } = given;
  switch (type) {
    case "string":
      return sink.string(value);
    case "bool":
      return sink.append(Uint8Array.of(value ? 1 : 0));
    case "u64":
      return sink.append(BigUint64Array.of(value));
    case "i64":
      return sink.append(BigInt64Array.of(value));
    default:
      return sink.append(new numberArrays[type]([value]));
  }
}

const numberArrays = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;

function idOf(type: GgufValueType): number {
  return typeIds.get(type) ?? 0;
}
