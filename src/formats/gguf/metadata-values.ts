import { formatCount, quoteName } from "../wording.ts";
import {
  type GgufNumberArray,
  type GgufNumbers,
  type GgufNumberType,
  type GgufStringArray,
  type GgufValue,
  type GgufValueType,
  ggufValueTypes,
} from "./gguf-metadata.ts";
import { ggufFault, type HeaderReader } from "./header-reader.ts";

/** A string of the metadata is at most so long: chat templates and licences are the longest. */
const longestString = 64 * 2 ** 20;
/** Bytes that a string of an array takes at least: its length. */
const leastStringBytes = 8;

/** Types of a known width, and the arrays that hold them. */
const numbers: Readonly<
  Record<GgufNumberArray["elements"], { bytes: number; view: (buffer: ArrayBuffer) => GgufNumbers }>
> = {
  u8: { bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  i8: { bytes: 1, view: (buffer) => new Int8Array(buffer) },
  bool: { bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  u16: { bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  i16: { bytes: 2, view: (buffer) => new Int16Array(buffer) },
  u32: { bytes: 4, view: (buffer) => new Uint32Array(buffer) },
  i32: { bytes: 4, view: (buffer) => new Int32Array(buffer) },
  f32: { bytes: 4, view: (buffer) => new Float32Array(buffer) },
  u64: { bytes: 8, view: (buffer) => new BigUint64Array(buffer) },
  i64: { bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  f64: { bytes: 8, view: (buffer) => new Float64Array(buffer) },
};

/** Reads the type and the value of a key. @throws FormatError */
export async function readMetadataValue(reader: HeaderReader, key: string): Promise<GgufValue> {
  const type = await readType(reader, key);
  if (type === "array") return readArray(reader, key);
  if (type === "string") return { type, value: await reader.string(key, longestString) };
  const { bytes, view } = numbers[type];
  const [value] = view((await reader.take(bytes, key)).buffer);
  if (type === "bool") return { type, value: value !== 0 };
  if (type === "u64" || type === "i64") return { type, value: BigInt(value) };
  return { type: type satisfies GgufNumberType, value: Number(value) };
}

async function readType(reader: HeaderReader, key: string): Promise<GgufValueType> {
  const id = await reader.u32(`the type of ${key}`);
  const type = ggufValueTypes[id];
  if (type === undefined)
    throw reader.fault(`${quoteName(key)} is of the type ${id}, which there is not`);
  return type;
}

async function readArray(
  reader: HeaderReader,
  key: string,
): Promise<GgufStringArray | GgufNumberArray> {
  const elements = await readType(reader, key);
  const name = quoteName(key);
  if (elements === "array") {
    throw reader.fault(`${name} is an array of arrays, which no program reads`);
  }
  const length = await reader.count(`the length of ${key}`);
  const width = elements === "string" ? leastStringBytes : numbers[elements].bytes;
  if (length * width > reader.left) {
    throw reader.fault(
      `${name} promises ${formatCount(length)} elements, ${formatCount(reader.left)} bytes are left`,
    );
  }
  if (elements === "string") {
    return new StoredStrings(reader.source, key, length, await reader.takeStrings(length, key));
  }
  const values = numbers[elements].view((await reader.take(length * width, key)).buffer);
  return { type: "array", elements, length, values };
}

/** An array of strings, which are made when they are first asked for: vocabularies are large. */
class StoredStrings implements GgufStringArray {
  readonly type = "array";
  readonly elements = "string";
  readonly length: number;
  private readonly source: string;
  private readonly key: string;
  private bytes: Uint8Array | null;
  private strings: readonly string[] = [];

  constructor(source: string, key: string, length: number, bytes: Uint8Array) {
    this.source = source;
    this.key = key;
    this.length = length;
    this.bytes = bytes;
  }

  /** @throws FormatError when one is not UTF-8 */
  get values(): readonly string[] {
    if (this.bytes) this.strings = this.decode(this.bytes);
    this.bytes = null;
    return this.strings;
  }

  private decode(bytes: Uint8Array): string[] {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const strings: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 8 + view.getUint32(at, true);
      try {
        strings.push(decoder.decode(bytes.subarray(at + 8, end)));
      } catch (cause) {
        const what = `${quoteName(this.key)} has a string that is not UTF-8: ${strings.length}`;
        throw ggufFault(this.source, what, cause);
      }
      at = end;
    }
    return strings;
  }
}
