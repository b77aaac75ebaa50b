import { baseName, type ReadableFile } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { formatCount } from "../wording.ts";

/** Bytes that a header may have; those of the largest vocabularies have some 30 MB. */
const largestHeader = 256 * 2 ** 20;
/** Bytes that are read at first. */
const firstBytes = 1024 * 1024;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A cursor over the beginning of a GGUF file, which it reads as far as it is asked to. Nothing is
 * allocated for what the file is too short for.
 */
export class HeaderReader {
  /** Name of the file in errors. */
  readonly source: string;
  /** Bytes that were passed. */
  position = 0;
  private readonly file: ReadableFile;
  private bytes = new Uint8Array(0);
  private view = new DataView(this.bytes.buffer);
  private filled = 0;

  constructor(file: ReadableFile) {
    this.file = file;
    this.source = baseName(file.path);
  }

  /** Bytes of the file behind the cursor. */
  get left(): number {
    return this.file.sizeBytes - this.position;
  }

  /**
   * Makes sure that the next `count` bytes are there.
   * @throws FormatError when the file, or what a header may have, ends before
   */
  async need(count: number, what: string): Promise<void> {
    const end = this.position + count;
    if (end <= this.filled) return;
    if (count > this.left) {
      throw this.fault(
        `the file ends in ${what}: ${formatCount(count)} bytes are needed at byte ` +
          `${formatCount(this.position)}, ${formatCount(this.left)} are left`,
      );
    }
    if (end > largestHeader) {
      throw this.fault(`its header has more than ${formatCount(largestHeader)} bytes`);
    }
    const wanted = Math.max(firstBytes, end, Math.min(largestHeader, 2 * this.filled));
    const size = Math.min(this.file.sizeBytes, wanted);
    const grown = new Uint8Array(size);
    grown.set(this.bytes.subarray(0, this.filled));
    this.filled += await this.file.read(grown.subarray(this.filled), this.filled);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
    if (end > this.filled) throw this.fault("it became shorter while it was read");
  }

  /** Reads a number of 32 bits. */
  async u32(what: string): Promise<number> {
    await this.need(4, what);
    this.position += 4;
    return this.view.getUint32(this.position - 4, true);
  }

  /** Reads a number of 64 bits that must be a count JavaScript can hold. @throws FormatError */
  async count(what: string): Promise<number> {
    await this.need(8, what);
    const value = this.view.getBigUint64(this.position, true);
    this.position += 8;
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw this.fault(`${what} is ${value}, which is no possible size`);
  }

  /** Reads a string of at most `longest` bytes. @throws FormatError */
  async string(what: string, longest: number): Promise<string> {
    const length = await this.count(`the length of ${what}`);
    if (length > longest) {
      throw this.fault(`${what} has ${formatCount(length)} bytes, ${formatCount(longest)} at most`);
    }
    await this.need(length, what);
    this.position += length;
    const bytes = this.bytes.subarray(this.position - length, this.position);
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw this.fault(`${what} is not UTF-8`, cause);
    }
  }

  /** Returns a copy of the next bytes. */
  async take(count: number, what: string): Promise<Uint8Array<ArrayBuffer>> {
    await this.need(count, what);
    this.position += count;
    return this.bytes.slice(this.position - count, this.position);
  }

  /**
   * Passes strings and returns a copy of their bytes, the lengths before each included.
   * @throws FormatError
   */
  async takeStrings(count: number, what: string): Promise<Uint8Array<ArrayBuffer>> {
    const start = this.position;
    for (let done = 0; done < count; ) {
      await this.need(8, what);
      const passed = this.passStrings(count - done);
      done += passed;
      if (passed > 0 || done === count) continue;
      const low = this.view.getUint32(this.position, true);
      const high = this.view.getUint32(this.position + 4, true);
      await this.need(8 + high * 2 ** 32 + low, `string ${done} of ${what}`);
    }
    return this.bytes.slice(start, this.position);
  }

  /** An error about this file. */
  fault(what: string, cause?: unknown): FormatError {
    return ggufFault(this.source, what, cause);
  }

  /** Passes up to `count` strings, as many as are there whole; returns their number. */
  private passStrings(count: number): number {
    const { view, filled } = this;
    let at = this.position;
    let done = 0;
    for (; done < count && at + 8 <= filled; done++) {
      const end = at + 8 + view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
      if (end > filled) break;
      at = end;
    }
    this.position = at;
    return done;
  }
}

/** The error of a header that is not what it must be; `source` names the file. */
export function ggufFault(source: string, what: string, cause?: unknown): FormatError {
  return new FormatError(`${source} is not a GGUF file that can be read: ${what}`, {
    hint: "download the file again, or convert the model again",
    cause,
  });
}
