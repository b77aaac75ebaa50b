/** Everything that fewbit asks of Node: the library's only place that touches node:* modules. */
export { fileError, streamError, systemErrorCode } from "./file-errors.ts";
export { fileKinds } from "./files.ts";
export type {
  FileKind,
  FileMapper,
  FileStatus,
  GrowingFile,
  MachineDescription,
  MemoryUsage,
  ReadableFile,
  WritableFile,
} from "./files.ts";
export * from "./allocate.ts";
export * from "./node-child.ts";
export * from "./node-database.ts";
export * from "./node-directories.ts";
export * from "./node-files.ts";
export * from "./node-hash.ts";
export * from "./node-machine.ts";
export * from "./node-network.ts";
export * from "./node-package-files.ts";
export * from "./node-package-root.ts";
export * from "./node-script.ts";
export * from "./node-time-limit.ts";
export { notAFile } from "./open-file.ts";
export { Turns } from "./turns.ts";
export * from "./write-beside.ts";
