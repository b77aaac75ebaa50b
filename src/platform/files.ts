/** What the platform files (`node.ts`, later `browser.ts`) promise about files: async calls. */

/** A file opened for reading at any position. */
export interface ReadableFile {
  readonly path: string;
  /** Size in bytes when the file was opened. */
  readonly sizeBytes: number;
  /** What `fileStamp` gave when the file was opened. */
  readonly stamp: string;
  /**
   * Fills `into` with the bytes from `position` on, however many system calls that takes.
   * Resolves to the number of bytes read, below `into.length` only where the file ends.
   */
  read(into: Uint8Array, position: number): Promise<number>;
  /**
   * Returns the whole file as memory that the system fills when it is looked at, or null where
   * files are not mapped. It outlives `close`. Where the file becomes shorter meanwhile it reads as
   * zeros, and `expectMappedFiles` throws.
   */
  map(): ArrayBuffer | null;
  close(): Promise<void>;
}

/** Maps files into memory. */
export interface FileMapper {
  /** Maps an open file of a known size; null where that cannot be done. */
  mapFile(fileDescriptor: number, sizeBytes: number): ArrayBuffer | null;
  /** How many of the files that are mapped now became shorter; those read as zeros there. */
  lostFiles(): number;
  /** Whether the file behind a buffer is one of them. */
  isLostFile(buffer: ArrayBuffer): boolean;
}

/** A file written at any position. */
export interface WritableFile {
  readonly path: string;
  /** Writes all of `bytes` from `position` on. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Cuts the file off at this size, or extends it by zeros, which take no room until written. */
  resize(sizeBytes: number): Promise<void>;
  /** Makes sure that what was written is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A file that is written on where an earlier process stopped. */
export interface GrowingFile extends WritableFile {
  /** Size in bytes when the file was opened. */
  readonly sizeBytes: number;
  /** Fills `into` with the bytes from `position` on; resolves to the number of bytes read. */
  read(into: Uint8Array, position: number): Promise<number>;
}

/** What can stand at a path, and how it is called. */
export const fileKinds = {
  file: "a file",
  directory: "a directory",
  pipe: "a named pipe",
  socket: "a socket",
  device: "a device",
  other: "a link to nothing",
} as const;

/** What a directory entry is; symbolic links are followed. */
export type FileKind = keyof typeof fileKinds;

/** What is known of a path. */
export interface FileStatus {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  /** Bytes that it takes on the disk, fewer than its size where parts were never written. */
  readonly storedBytes: number;
  /** When its contents last changed, in milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** Memory of this process, in bytes. */
export interface MemoryUsage {
  /** In physical memory now. */
  readonly residentBytes: number;
  /** The part of it that is not backed by files; null where the system does not say. */
  readonly anonymousBytes: number | null;
  /** Largest resident size so far. */
  readonly peakResidentBytes: number;
}

/** The machine as run records name it. */
export interface MachineDescription {
  readonly system: string;
  readonly architecture: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly runtime: string;
}
