import type { DType } from "../tensor/dtype.ts";
import { formatShape, type Shape } from "../tensor/shape.ts";
import { FormatError, UsageError } from "../util/errors.ts";
import { JsonScanner } from "./json-scanner.ts";
import { bitsPerElement, dtypeFromFile, type StoredDType } from "./stored-dtype.ts";
import { formatCount, quoteName } from "./wording.ts";

/**
 * The header of a safetensors file: `u64 length | JSON | data`, the JSON naming each tensor's
 * dtype, shape and byte range within the data. Source: the format's description in
 * huggingface/safetensors.
 */

/** One tensor of a file. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: Shape;
  /** First byte, counted from the start of the data. */
  readonly begin: number;
  /** One past the last byte. */
  readonly end: number;
  /** How the file holds it, where that is not what `dtype` and its bytes say. */
  readonly stored?: StoredForm;
}

/** How a file of another format holds a tensor. */
export interface StoredForm {
  /** The format's name of its type. */
  readonly type: string;
  readonly bytes: number;
}

/** Returns the bytes that a tensor takes in its file. */
export function storedBytes({ begin, end, stored }: TensorInfo): number {
  return stored?.bytes ?? end - begin;
}

/** A tensor to be written. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** What a header says. */
export interface SafetensorsHeader {
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Bytes of data that the header promises. */
  readonly dataBytes: number;
}

/** Longest header that is read or written; the format's own limit. */
export const largestHeader = 100_000_000;

/** Tensors, and entries of metadata, that a header may name; the largest models have 200,000. */
const mostNames = 500_000;

const metadataKey = "__metadata__";
const largestRank = 32;

/**
 * Reads the JSON of a header and checks all that it says; `source` names the file in errors.
 * @throws FormatError when it is not what the format allows (duplicate names, unknown dtypes, byte
 * ranges that overlap, leave holes or do not fit dtype × shape), or has more than 500,000 names
 */
export function parseHeader(json: string, source: string): SafetensorsHeader {
  const scanner = new JsonScanner(json, `${source}: the header is not valid`);
  const found = new Map<string, TensorInfo>();
  let metadata: Map<string, string> | null = null;
  scanner.members((name) => {
    if (name === metadataKey && metadata === null) {
      metadata = parseMetadata(scanner, source);
      return;
    }
    if (found.has(name) || name === metadataKey) {
      throw new FormatError(`${source}: the header names ${quoteName(name)} twice`);
    }
    expectRoom(found.size, "tensors", source);
    found.set(name, parseTensor(scanner, name, source));
  });
  scanner.end();
  const tensors = inOrder(found);
  const dataBytes = checkRanges(tensors.values(), source);
  return { tensors, metadata: metadata ?? new Map(), dataBytes };
}

function expectRoom(count: number, what: string, source: string): void {
  if (count < mostNames) return;
  throw new FormatError(`${source}: the header names more than ${formatCount(mostNames)} ${what}`, {
    hint: "split the file into shards (model.safetensors.index.json)",
  });
}

/** Puts tensors into the order of their bytes, where they are not; most programs write them so. */
function inOrder(found: Map<string, TensorInfo>): Map<string, TensorInfo> {
  const compare = (a: TensorInfo, b: TensorInfo): number => a.begin - b.begin || a.end - b.end;
  let previous: TensorInfo | undefined;
  let isOrdered = true;
  for (const info of found.values()) {
    if (previous && compare(previous, info) > 0) isOrdered = false;
    previous = info;
  }
  if (isOrdered) return found;
  return new Map([...found.values()].sort(compare).map((info) => [info.name, info]));
}

function parseMetadata(scanner: JsonScanner, source: string): Map<string, string> {
  const metadata = new Map<string, string>();
  if (scanner.acceptNull()) return metadata;
  scanner.members((key) => {
    if (metadata.has(key)) {
      throw new FormatError(`${source}: the metadata names ${quoteName(key)} twice`);
    }
    expectRoom(metadata.size, "entries of metadata", source);
    metadata.set(key, scanner.string());
  });
  return metadata;
}

function parseTensor(scanner: JsonScanner, name: string, source: string): TensorInfo {
  let typeName: string | undefined;
  let shape: number[] | undefined;
  let range: number[] | undefined;
  const fail = (what: string): never => {
    throw new FormatError(`${source}: tensor ${quoteName(name)}${what}`);
  };
  scanner.members((key) => {
    if (key === "dtype" && typeName === undefined) typeName = scanner.string();
    else if (key === "shape" && !shape) shape = scanner.integers(largestRank);
    else if (key === "data_offsets" && !range) range = scanner.integers(2);
    else fail(` has an unexpected or repeated field ${quoteName(key)}`);
  });
  const [begin, end] = range ?? [];
  if (typeName === undefined || !shape || begin === undefined || end === undefined) {
    return fail(" lacks one of dtype, shape and data_offsets [begin, end]");
  }
  const dtype = dtypeFromFile(typeName);
  if (!dtype) return fail(` has the unknown dtype ${quoteName(typeName)}`);
  const expected = tensorBytes(dtype, shape);
  if (expected === null) {
    return fail(`: ${typeName} ${formatShape(shape)} is no possible size`);
  }
  if (end - begin !== expected) {
    return fail(
      `: ${typeName} ${formatShape(shape)} takes ${formatCount(expected)} bytes, ` +
        `its byte range [${begin}, ${end}) has ${formatCount(end - begin)}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** Returns the bytes of a tensor; null when they are not a whole number below 2^53. */
export function tensorBytes(dtype: StoredDType, shape: Shape): number | null {
  let count = 1;
  for (const dimension of shape) {
    count *= dimension;
    if (!Number.isSafeInteger(count) || count < 0) return null;
  }
  const bits = count * bitsPerElement(dtype);
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : null;
}

/** Checks that tensors, in order, fill the data without holes or overlaps; returns its size. */
function checkRanges(ordered: Iterable<TensorInfo>, source: string): number {
  let position = 0;
  let previous: TensorInfo | undefined;
  for (const info of ordered) {
    if (info.begin !== position) {
      const before = previous ? quoteName(previous.name) : "the start of the data";
      const how = info.begin < position ? "overlap" : "leave a hole";
      throw new FormatError(
        `${source}: tensor ${quoteName(info.name)} and ${before} ${how}: ` +
          `it begins at byte ${formatCount(info.begin)}, expected ${formatCount(position)}`,
      );
    }
    position = info.end;
    previous = info;
  }
  return position;
}

/**
 * Gives each entry its place: widest elements first, so that every tensor is aligned to its
 * elements, otherwise in the order given.
 * @throws UsageError when a name comes twice or a shape is no possible size
 */
export function layOutTensors(entries: readonly TensorEntry[]): Map<string, TensorInfo> {
  const ordered = [...entries].sort((a, b) => bitsPerElement(b.dtype) - bitsPerElement(a.dtype));
  const tensors = new Map<string, TensorInfo>();
  let begin = 0;
  for (const { name, dtype, shape } of ordered) {
    const bytes = tensorBytes(dtype, shape);
    if (bytes === null || !Number.isSafeInteger(begin + bytes)) {
      throw new UsageError(`tensor ${quoteName(name)}: ${formatShape(shape)} is no possible shape`);
    }
    if (tensors.has(name) || name === metadataKey) {
      throw new UsageError(`tensor name ${quoteName(name)} is taken`);
    }
    tensors.set(name, { name, dtype, shape: [...shape], begin, end: begin + bytes });
    begin += bytes;
  }
  return tensors;
}

/**
 * Writes the length and the JSON, padded with spaces so that the data begins at a multiple of 8
 * bytes.
 * @throws UsageError when the header would be longer than the format allows
 */
export function encodeHeader(
  tensors: ReadonlyMap<string, TensorInfo>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const members: string[] = [];
  if (Object.keys(metadata).length > 0) {
    members.push(`${JSON.stringify(metadataKey)}:${JSON.stringify(metadata)}`);
  }
  for (const { name, dtype, shape, begin, end } of tensors.values()) {
    const value = { dtype: dtype.toUpperCase(), shape, data_offsets: [begin, end] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  }
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > largestHeader) {
    throw new UsageError(`the header would have ${formatCount(length)} bytes, 100 MB is the most`);
  }
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}
