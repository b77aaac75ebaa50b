import { baseName, joinPath, parentPath } from "../../platform/node.ts";
import { UsageError } from "../../util/errors.ts";
import { formatCount, quoteName } from "../wording.ts";
import { ByteSink, encodeMetadataValue } from "./encode-metadata.ts";
import type { GgufValue } from "./gguf-metadata.ts";
import { formatPartName } from "./gguf-parts.ts";
import { type GgmlType, ggmlRowBytes } from "./gguf-types.ts";

/** A tensor of a file that is to be written. */
export interface GgufEntry {
  readonly name: string;
  readonly type: GgmlType;
  /** Outermost dimension first; a row is the last one. */
  readonly shape: readonly number[];
}

/** Where a tensor will stand in its file. */
export interface GgufPlace extends GgufEntry {
  /** First byte of the file, and one past the last. */
  readonly begin: number;
  readonly end: number;
}

/** One file to be written, to the byte. */
export interface GgufPart {
  /** Its path. */
  readonly path: string;
  /** Magic, counts, metadata and tensors, padded to where the data begins. */
  readonly header: Uint8Array;
  readonly tensors: readonly GgufPlace[];
  readonly sizeBytes: number;
}

const alignment = 32;
/** A tensor's name as ggml holds it, its closing zero included. */
const longestName = 63;
/** More parts do not fit into five digits of a name and 16 bits of the metadata. */
const mostParts = 65_535;

/** What a GGUF model is made of. */
export interface GgufContents {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly entries: readonly GgufEntry[];
}

/**
 * Lays a model out as one file or, with `splitBytes`, as parts of at most so many bytes each: a
 * tensor that is larger has a part of its own. The first part has the metadata, all say which they
 * are (`split.no`, `split.count`, `split.tensors.count`), and the name of each does, too:
 * `name-00001-of-00003.gguf`. What fits into one part is one file under its own name.
 * @throws UsageError for names that are taken or too long, rows that are no whole blocks, and too
 * many parts
 */
export function layOutGguf(
  path: string,
  { metadata, entries }: GgufContents,
  splitBytes: number | null = null,
): GgufPart[] {
  expectNames(entries);
  const whole = layOutPart(path, metadata, entries);
  if (splitBytes === null || whole.sizeBytes <= splitBytes) return [whole];
  const groups = divide(metadata, entries, splitBytes);
  if (groups.length > mostParts) {
    throw new UsageError(`${path} would be ${formatCount(groups.length)} parts`, {
      hint: "give a larger `splitSize`",
      field: "splitSize",
      value: splitBytes,
    });
  }
  return groups.map((group, index) => {
    const own = splitMetadata(index, groups.length, entries.length);
    const all = index === 0 ? new Map([...metadata, ...own]) : own;
    return layOutPart(partPath(path, index, groups.length), all, group);
  });
}

function partPath(path: string, index: number, count: number): string {
  const stem = baseName(path).replace(/\.gguf$/, "");
  return joinPath(parentPath(path), formatPartName({ stem, number: index + 1, count }));
}

function splitMetadata(no: number, count: number, tensors: number): Map<string, GgufValue> {
  return new Map([
    ["split.no", { type: "u16", value: no }],
    ["split.count", { type: "u16", value: count }],
    ["split.tensors.count", { type: "i32", value: tensors }],
  ]);
}

/** Distributes tensors, in order, over files of at most `splitBytes`. */
function divide(
  metadata: ReadonlyMap<string, GgufValue>,
  entries: readonly GgufEntry[],
  splitBytes: number,
): GgufEntry[][] {
  const bytesOf = (all: ReadonlyMap<string, GgufValue>, tensors: readonly GgufEntry[]) =>
    encodeHeader(all, place(tensors)).length;
  const own = splitMetadata(0, 1, entries.length);
  const groups: GgufEntry[][] = [[]];
  let size = bytesOf(new Map([...metadata, ...own]), []);
  const empty = bytesOf(own, []);
  for (const entry of entries) {
    // What an entry adds to the header, with what aligning may add.
    const described = new TextEncoder().encode(entry.name).length + 24 + 8 * entry.shape.length;
    const added = described + aligned(bytesOfEntry(entry));
    if ((groups.at(-1)?.length ?? 0) > 0 && size + added + alignment > splitBytes) {
      groups.push([]);
      size = empty;
    }
    groups.at(-1)?.push(entry);
    size += added;
  }
  return groups;
}

function layOutPart(
  path: string,
  metadata: ReadonlyMap<string, GgufValue>,
  entries: readonly GgufEntry[],
): GgufPart {
  const placed = place(entries);
  const header = encodeHeader(metadata, placed);
  const tensors = placed.map((tensor) => ({
    ...tensor,
    begin: tensor.begin + header.length,
    end: tensor.end + header.length,
  }));
  const sizeBytes = header.length + aligned(placed.at(-1)?.end ?? 0);
  return { path, header, tensors, sizeBytes };
}

/** Places tensors one behind the other, from byte 0 of the data on. */
function place(entries: readonly GgufEntry[]): GgufPlace[] {
  let at = 0;
  return entries.map((entry) => {
    const begin = at;
    const end = begin + bytesOfEntry(entry);
    at = aligned(end);
    return { ...entry, begin, end };
  });
}

function bytesOfEntry({ name, type, shape }: GgufEntry): number {
  const columns = shape.at(-1) ?? 1;
  const rowBytes = ggmlRowBytes(type, columns);
  if (rowBytes === null) {
    throw new UsageError(
      `tensor ${quoteName(name)}: ${columns} columns are no whole blocks of ${type.columns} ` +
        `(${type.name})`,
    );
  }
  return shape.slice(0, -1).reduce((product, size) => product * size, rowBytes);
}

/** Source: docs/gguf.md of ggml-org/ggml. */
function encodeHeader(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufPlace[],
): Uint8Array {
  const sink = new ByteSink();
  sink.append(new TextEncoder().encode("GGUF"));
  sink.u32(3);
  sink.u64(tensors.length);
  sink.u64(metadata.size);
  for (const [key, value] of metadata) encodeMetadataValue(sink, key, value);
  for (const { name, shape, type, begin } of tensors) {
    sink.string(name);
    sink.u32(shape.length);
    for (const size of shape.toReversed()) sink.u64(size);
    sink.u32(type.id);
    sink.u64(begin);
  }
  sink.append(new Uint8Array(aligned(sink.written.length) - sink.written.length));
  return sink.written.slice();
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function expectNames(entries: readonly GgufEntry[]): void {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw new UsageError(`tensor name ${quoteName(name)} is taken`);
    const bytes = new TextEncoder().encode(name).length;
    if (bytes > longestName) {
      throw new UsageError(
        `tensor name ${quoteName(name)} has ${bytes} bytes; GGUF files have up to ${longestName}`,
      );
    }
    names.add(name);
  }
}
