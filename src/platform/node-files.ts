import { createHash, randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import * as fs from "node:fs/promises";
import { FormatError } from "../util/errors.ts";
import { allocateBuffer } from "./allocate.ts";
import { fileError, systemErrorCode, translateErrors } from "./file-errors.ts";
import type { FileMapper, GrowingFile, ReadableFile, WritableFile } from "./files.ts";
import { openRegular, stampOf } from "./open-file.ts";

/** Node takes at most 2^31 − 1 bytes a call; smaller pieces also keep the thread pool fair. */
const largestTransfer = 256 * 1024 * 1024;

/** Bytes written a call: the kernel takes up to half longer for the same bytes at once (ext4). */
const largestWrite = 1024 * 1024;

/** Files larger than this are not taken for text: V8 strings end at about 2^29 characters. */
const largestText = 500_000_000;

/** Bytes that are held at a time where a file is gone through. */
const pieceBytes = 4 * 1024 * 1024;

let mapper: FileMapper | null = null;

/** Files that are mapped, as long as somebody holds their memory. */
const mapped = new Set<MappedFile>();

interface MappedFile {
  readonly path: string;
  readonly stamp: string;
  readonly buffer: WeakRef<ArrayBuffer>;
}

/** Makes files mappable: Node has no call for that, native code brings one. */
export function registerFileMapper(given: FileMapper): void {
  mapper = given;
}

/**
 * Checks that no mapped file became shorter: what was computed from one is worth nothing.
 * @throws FormatError that names the file
 */
export function expectMappedFiles(): void {
  if (!mapper || mapper.lostFiles() === 0) return;
  for (const { path, buffer } of mapped) {
    const memory = buffer.deref();
    if (memory && mapper.isLostFile(memory)) throw shorter(path);
  }
}

/**
 * Checks that no mapped file was changed in place; one that another was renamed over is what it
 * was, for those who have it mapped.
 * @throws FormatError that names the file
 */
export async function expectMappedFilesUnchanged(): Promise<void> {
  expectMappedFiles();
  for (const { path, stamp, buffer } of mapped) {
    const now = buffer.deref() && (await fs.stat(path).catch(() => null));
    if (!now || stampOf(now) === stamp || !stamp.endsWith(` ${now.ino}`)) continue;
    throw new FormatError(`${path} was changed while it was in use`, {
      hint: "do not change the files of a model while it is in use",
    });
  }
}

function shorter(path: string): FormatError {
  return new FormatError(`${path} became shorter, or could not be read, while it was in use`, {
    hint: "do not change the files of a model while it is in use; check the disk",
  });
}

function map({ path, stamp, sizeBytes }: ReadableFile, descriptor: number): ArrayBuffer | null {
  const buffer = mapper?.mapFile(descriptor, sizeBytes) ?? null;
  if (!buffer) return null;
  for (const file of mapped) if (!file.buffer.deref()) mapped.delete(file);
  mapped.add({ path, stamp, buffer: new WeakRef(buffer) });
  return buffer;
}

class NodeReadableFile implements ReadableFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly stamp: string;
  private readonly handle: fs.FileHandle;
  private memory: ArrayBuffer | null = null;

  constructor(path: string, status: Stats, handle: fs.FileHandle) {
    this.path = path;
    this.sizeBytes = status.size;
    this.stamp = stampOf(status);
    this.handle = handle;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const length = Math.min(into.length - done, largestTransfer);
      const { bytesRead } = await translateErrors(
        "read",
        this.path,
        this.handle.read(into, done, length, position + done),
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  map(): ArrayBuffer | null {
    this.memory ??= map(this, this.handle.fd);
    return this.memory;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

class NodeWritableFile implements WritableFile {
  readonly path: string;
  protected readonly handle: fs.FileHandle;

  constructor(path: string, handle: fs.FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, largestWrite);
      const { bytesWritten } = await translateErrors(
        "write",
        this.path,
        this.handle.write(bytes, done, length, position + done),
      );
      done += bytesWritten;
    }
  }

  async resize(sizeBytes: number): Promise<void> {
    await translateErrors("write", this.path, this.handle.truncate(sizeBytes));
  }

  async sync(): Promise<void> {
    await translateErrors("write", this.path, this.handle.sync());
  }

  async close(): Promise<void> {
    await translateErrors("write", this.path, this.handle.close());
  }
}

class NodeGrowingFile extends NodeWritableFile implements GrowingFile {
  readonly sizeBytes: number;

  constructor(path: string, sizeBytes: number, handle: fs.FileHandle) {
    super(path, handle);
    this.sizeBytes = sizeBytes;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const { length } = into;
    const reading = this.handle.read(into, 0, length, position);
    return (await translateErrors("read", this.path, reading)).bytesRead;
  }
}

/** Opens a file for ranged reads. @throws FormatError when it is missing or not a regular file */
export async function openForReading(path: string): Promise<ReadableFile> {
  const { handle, status } = await openRegular("read", path, constants.O_RDONLY);
  return new NodeReadableFile(path, status, handle);
}

/** Creates a file that must not exist yet. @throws FewbitError (code `FILE`) when it cannot */
export async function createFile(path: string): Promise<WritableFile> {
  return new NodeWritableFile(path, await translateErrors("write", path, fs.open(path, "wx")));
}

/** Opens an existing file to change it in place. @throws FormatError when it is missing */
export async function openForWriting(path: string): Promise<WritableFile> {
  const { handle } = await openRegular("write", path, constants.O_RDWR);
  return new NodeWritableFile(path, handle);
}

/** Opens a file to write on where it ends; an empty one is created where there is none. */
export async function openForGrowing(path: string): Promise<GrowingFile> {
  const flags = constants.O_RDWR | constants.O_CREAT;
  const { handle, status } = await openRegular("write", path, flags);
  return new NodeGrowingFile(path, status.size, handle);
}

/** Reads a whole file. @throws FormatError when it is missing or larger than `limitBytes` */
export async function readBytes(
  path: string,
  limitBytes: number = largestText,
): Promise<Uint8Array> {
  const file = await openForReading(path);
  try {
    if (file.sizeBytes > limitBytes) {
      throw new FormatError(
        `${path} has ${file.sizeBytes} bytes, more than the ${limitBytes} that are allowed here`,
      );
    }
    const bytes = new Uint8Array(allocateBuffer(file.sizeBytes, path));
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** Reads a UTF-8 file. @throws FormatError when it is missing, too large or not UTF-8 */
export async function readText(path: string, limitBytes: number = largestText): Promise<string> {
  const bytes = await readBytes(path, limitBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${path} is not UTF-8 text`, { cause });
  }
}

/** Copies the contents of a file, not its mode, to a path that must not exist yet, durably. */
export async function copyFile(from: string, to: string): Promise<void> {
  const source = await openForReading(from);
  try {
    const target = await createFile(to);
    try {
      const piece = new Uint8Array(Math.min(source.sizeBytes, pieceBytes));
      for (let position = 0; position < source.sizeBytes; ) {
        const read = await source.read(piece, position);
        if (read === 0) throw new FormatError(`${from} became shorter while it was copied`);
        await target.write(piece.subarray(0, read), position);
        position += read;
      }
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Hashes a file in pieces; the result is in lower-case hexadecimal. */
export async function sha256OfFile(path: string): Promise<string> {
  const file = await openForReading(path);
  try {
    const hash = createHash("sha256");
    const piece = new Uint8Array(Math.min(file.sizeBytes + 1, pieceBytes));
    for (let position = 0; ; ) {
      const read = await file.read(piece, position);
      hash.update(piece.subarray(0, read));
      position += read;
      if (read < piece.length) return hash.digest("hex");
    }
  } finally {
    await file.close();
  }
}

/** Draws 8 random hexadecimal digits for names of temporary files. */
export function randomSuffix(): string {
  return randomBytes(4).toString("hex");
}

/** Makes what is in a directory (its names, not the files' contents) durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await translateErrors("read", path, fs.open(path, "r"));
  try {
    await handle.sync();
  } catch (error) {
    // Windows and some network file systems do not sync directories.
    const code = systemErrorCode(error) ?? "";
    if (!["EPERM", "EINVAL", "ENOTSUP", "EBADF"].includes(code))
      throw fileError("write", path, error);
  } finally {
    await handle.close();
  }
}

/** Makes the contents of an existing file durable. */
export async function syncFile(path: string): Promise<void> {
  // Windows syncs only what is open for writing; elsewhere a read-only file can be synced too.
  const flags = process.platform === "win32" ? constants.O_RDWR : constants.O_RDONLY;
  const { handle } = await openRegular("write", path, flags);
  try {
    await translateErrors("write", path, handle.sync());
  } finally {
    await handle.close();
  }
}
