import { readBytes } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { quoteName } from "../wording.ts";
import { expectEntry, type Imatrix, type ImatrixEntry } from "./imatrix.ts";

const mostBytes = 2 ** 30;
const longestName = 1024;
const mostEntries = 1_000_000;

/** Reads numbers of 32 bits and names, one behind the other. */
class Cursor {
  private readonly where: string;
  private readonly view: DataView<ArrayBufferLike>;
  private at = 0;

  constructor(where: string, bytes: Uint8Array) {
    this.where = where;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.at === this.view.byteLength;
  }

  /** Reads a count of what has so many bytes each. @throws FormatError when it is not there */
  count(what: string, most: number, bytesEach: number): number {
    const count = this.view.getInt32(this.take(4), true);
    const room = (this.view.byteLength - this.at) / Math.max(1, bytesEach);
    if (count >= 0 && count <= most && (bytesEach === 0 || count <= room)) return count;
    throw new FormatError(`${this.where}: it cannot have ${count} ${what}`, {
      hint: "the file is damaged, or no importance file of llama.cpp",
    });
  }

  text(): string {
    const length = this.count("bytes in a name", longestName, 1);
    const start = this.take(length);
    const bytes = new Uint8Array(this.view.buffer, this.view.byteOffset + start, length);
    return new TextDecoder().decode(bytes);
  }

  floats(count: number): Float32Array {
    const start = this.take(4 * count);
    return Float32Array.from({ length: count }, (_, i) =>
      this.view.getFloat32(start + 4 * i, true),
    );
  }

  private take(bytes: number): number {
    const start = this.at;
    this.at += bytes;
    if (this.at <= this.view.byteLength) return start;
    throw new FormatError(`${this.where} ends early`, {
      hint: "the file is damaged, or no importance file of llama.cpp",
    });
  }
}

/**
 * Reads the binary form that llama.cpp wrote until 2025: of each weight its name, the number of
 * chunks, and sums of squares a token of a chunk; then, in later files, the chunks in all and the
 * text's name. Files do not say how many tokens a chunk has.
 * @throws FormatError when it is not such a file
 */
export async function readLegacyImatrix(path: string): Promise<Imatrix> {
  const cursor = new Cursor(path, await readBytes(path, mostBytes));
  const count = cursor.count("weights", mostEntries, 12);
  const entries = new Map<string, ImatrixEntry>();
  for (let i = 0; i < count; i++) {
    const name = cursor.text();
    const counts = Float32Array.of(cursor.count("chunks", 2 ** 31, 0));
    const entry = { sums: cursor.floats(cursor.count("columns", 2 ** 31, 4)), counts };
    if (entries.has(name)) throw new FormatError(`${path} has ${quoteName(name)} twice`);
    expectEntry(path, name, entry);
    entries.set(name, entry);
  }
  if (cursor.isAtEnd) return { datasets: [], chunkCount: 0, chunkSize: 0, entries };
  const chunkCount = cursor.count("chunks", 2 ** 31, 0);
  const datasets = cursor.isAtEnd ? [] : [cursor.text()];
  return { datasets, chunkCount, chunkSize: 0, entries };
}
