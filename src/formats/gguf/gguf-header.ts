import { baseName, type ReadableFile } from "../../platform/node.ts";
import { formatShape, type Shape } from "../../tensor/shape.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { formatCount, quoteName } from "../wording.ts";
import { ggmlRowBytes, type GgmlType, ggmlTypeOf, removedTypes } from "./gguf-types.ts";
import { GgufMetadata, type GgufValue } from "./gguf-metadata.ts";
import { readMetadataValue } from "./metadata-values.ts";
import { HeaderReader } from "./header-reader.ts";

/**
 * The header of a GGUF file: `magic | version | counts | metadata | tensors | padding | data`.
 * Source: docs/gguf.md of ggml-org/ggml; limits as in its gguf.cpp.
 */

/** One tensor of a file. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  /** Outermost dimension first, as everywhere in fewbit; files have it last. */
  readonly shape: Shape;
  /** First byte, counted from the start of the data, and one past the last. */
  readonly begin: number;
  readonly end: number;
}

/** What a header says. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: GgufMetadata;
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Where the data begins in the file, and what each tensor's place in it is a multiple of. */
  readonly dataStart: number;
  readonly alignment: number;
}

const magic = 0x46554747;
const newestVersion = 3;
const usualAlignment = 32;
const largestAlignment = 2 ** 24;
/** A key is at most so long, a tensor's name as ggml holds it. */
const longestKey = 65_535;
const longestName = 64;
const mostDimensions = 4;
/** What a header may list; the largest files have some thousands. */
const mostKeys = 65_536;
const mostTensors = 100_000;
/** Fewest bytes that a key or a tensor takes. */
const leastKeyBytes = 13;
const leastTensorBytes = 24;

/**
 * Reads and checks the header of a file.
 * @throws FormatError when it is not what the format allows, or promises more than the file has
 * @throws UnsupportedError for version 1, other byte orders, and types that are not known
 */
export async function readGgufHeader(file: ReadableFile): Promise<GgufHeader> {
  const reader = new HeaderReader(file);
  const version = await readVersion(reader, file);
  const tensorCount = await readCount(reader, "tensors", mostTensors, leastTensorBytes);
  const keyCount = await readCount(reader, "keys", mostKeys, leastKeyBytes);
  const metadata = await readMetadata(reader, keyCount);
  const alignment = metadata.count("general.alignment") ?? usualAlignment;
  if (!isAlignment(alignment)) {
    throw reader.fault(`general.alignment is ${alignment}, expected a power of two`);
  }
  const found = new Map<string, GgufTensor>();
  for (let i = 0; i < tensorCount; i++) {
    const tensor = await readTensor(reader, i, alignment);
    if (found.has(tensor.name)) throw reader.fault(`it has two tensors ${quoteName(tensor.name)}`);
    found.set(tensor.name, tensor);
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  const tensors = inOrder(found);
  checkPlaces(reader, [...tensors.values()], alignment, file.sizeBytes - dataStart);
  return { version, metadata, tensors, dataStart, alignment };
}

function isAlignment(value: number): boolean {
  return value > 0 && value <= largestAlignment && Number.isInteger(Math.log2(value));
}

async function readVersion(reader: HeaderReader, file: ReadableFile): Promise<number> {
  const name = baseName(file.path);
  if (file.sizeBytes < 24) {
    throw new FormatError(`${name} is truncated: it has ${file.sizeBytes} bytes`, {
      hint: `download ${file.path} again, or check the disk`,
    });
  }
  const found = await reader.u32("its beginning");
  if (found !== magic) throw notGguf(name, found);
  const version = await reader.u32("the version");
  if (version === 2 || version === newestVersion) return version;
  if (version === 1) {
    throw new UnsupportedError(`${name} is a GGUF file of version 1, which no program reads now`, {
      hint: "take a newer file of the model, or convert it again",
    });
  }
  if ((version & 0xffff) === 0) {
    throw new UnsupportedError(`${name} is a GGUF file in big-endian byte order`, {
      hint: "take the file for little-endian machines; gguf_convert_endian.py makes one",
    });
  }
  throw new UnsupportedError(
    `${name} is a GGUF file of version ${version}, this program reads versions 2 and 3`,
    { hint: "update fewbit: npm install fewbit@latest" },
  );
}

function notGguf(name: string, found: number): FormatError {
  const letters = String.fromCharCode(...new Uint8Array(Uint32Array.of(found).buffer));
  if (letters === "vers") {
    return new FormatError(`${name} is a Git LFS pointer, not the file itself`, {
      hint: "run git lfs pull in the folder of the model",
    });
  }
  if (letters === "FUGG") {
    return new FormatError(`${name} is a GGUF file in big-endian byte order`);
  }
  const old = ["tjgg", "fmgg", "lmgg", "algg"].includes(letters);
  return new FormatError(
    old
      ? `${name} is a GGML file, the form before GGUF`
      : `${name} is no GGUF file: it begins with ${quoteName(letters)}`,
    { hint: "take a GGUF file of the model, or its Hugging Face checkpoint" },
  );
}

/** Reads how many of something follow. @throws FormatError when the file is too short for them */
async function readCount(
  reader: HeaderReader,
  what: string,
  most: number,
  leastBytes: number,
): Promise<number> {
  const count = await reader.count(`the number of ${what}`);
  if (count <= most && count * leastBytes <= reader.left) return count;
  throw reader.fault(
    `it promises ${formatCount(count)} ${what}, which ${formatCount(reader.left)} bytes ` +
      `cannot hold, or more than ${formatCount(most)}`,
  );
}

async function readMetadata(reader: HeaderReader, count: number): Promise<GgufMetadata> {
  const entries = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = await reader.string(`key ${i}`, longestKey);
    if (key === "" || entries.has(key)) {
      throw reader.fault(key === "" ? `key ${i} is empty` : `it has ${quoteName(key)} twice`);
    }
    entries.set(key, await readMetadataValue(reader, key));
  }
  return new GgufMetadata(reader.source, entries);
}

async function readTensor(
  reader: HeaderReader,
  index: number,
  alignment: number,
): Promise<GgufTensor> {
  const name = await reader.string(`the name of tensor ${index}`, longestName);
  const what = `tensor ${quoteName(name)}`;
  const rank = await reader.u32(`the shape of ${what}`);
  if (rank > mostDimensions) {
    throw reader.fault(`${what} has ${rank} dimensions, ${mostDimensions} at most`);
  }
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) shape.unshift(await reader.count(`a dimension of ${what}`));
  const type = typeOf(reader, what, await reader.u32(`the type of ${what}`));
  const begin = await reader.count(`the offset of ${what}`);
  if (begin % alignment !== 0) {
    throw reader.fault(`${what} begins at byte ${begin}, no multiple of ${alignment}`);
  }
  const size = tensorBytes(type, shape);
  if (size === null || !Number.isSafeInteger(begin + size)) {
    throw reader.fault(`${what}: ${type.name} ${formatShape(shape)} is no possible size`);
  }
  return { name, type, shape, begin, end: begin + size };
}

function typeOf(reader: HeaderReader, what: string, id: number): GgmlType {
  const type = ggmlTypeOf(id);
  if (type) return type;
  const removed = removedTypes.get(id);
  throw new UnsupportedError(
    removed
      ? `${reader.source}: ${what} is of the type ${removed}, which ggml no longer has`
      : `${reader.source}: ${what} is of the type ${id}, which is not known`,
    {
      hint: removed
        ? "take a newer file of the model"
        : "a fork of llama.cpp may have made it; take a file of llama.cpp itself, or update fewbit",
    },
  );
}

/** Returns the bytes of a tensor; null when rows are no whole blocks, or no size has so many. */
function tensorBytes(type: GgmlType, shape: Shape): number | null {
  const columns = shape.at(-1) ?? 1;
  let bytes = ggmlRowBytes(type, columns);
  for (const dimension of shape.slice(0, -1)) {
    if (bytes === null) return null;
    bytes *= dimension;
    if (!Number.isSafeInteger(bytes)) return null;
  }
  return bytes;
}

function inOrder(found: ReadonlyMap<string, GgufTensor>): Map<string, GgufTensor> {
  const tensors = [...found.values()].sort((a, b) => a.begin - b.begin || a.end - b.end);
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

/** Checks that tensors fill the data but for padding, and that the file has all of it. */
function checkPlaces(
  reader: HeaderReader,
  ordered: readonly GgufTensor[],
  alignment: number,
  dataBytes: number,
): void {
  let end = 0;
  let before = "the start of the data";
  for (const tensor of ordered) {
    const expected = Math.ceil(end / alignment) * alignment;
    const what = quoteName(tensor.name);
    if (tensor.begin !== expected) {
      const how = tensor.begin < end ? "overlap" : "leave a hole";
      throw reader.fault(
        `tensor ${what} and ${before} ${how}: it begins at byte ${formatCount(tensor.begin)}, ` +
          `expected ${formatCount(expected)}`,
      );
    }
    if (tensor.end > dataBytes) {
      throw new FormatError(
        `${reader.source} is truncated: tensor ${what} ends at byte ${formatCount(tensor.end)} ` +
          `of the data, the file has ${formatCount(Math.max(0, dataBytes))}`,
        { hint: "download the file again, or check the disk" },
      );
    }
    end = tensor.end;
    before = what;
  }
}
