import { FormatError } from "../util/errors.ts";
import { isJsonRecord, type JsonRecord } from "../util/json.ts";

/**
 * The small files of a model beside its weights: those of a directory, or what a file with
 * everything in it says in their place. Names are paths within a checkpoint directory, such as
 * `tokenizer.json`.
 */
export interface ModelFiles {
  /** The directory, or the file that has everything. */
  readonly path: string;
  /** What a file is called in messages. */
  label(name: string): string;
  /**
   * Reads a file; null where there is none.
   * @throws FormatError when it is not UTF-8, too large, or no file
   */
  text(name: string): Promise<string | null>;
  /** Reads a JSON document; undefined where there is none. @throws FormatError */
  json(name: string): Promise<unknown>;
  /** Lists the files of the folder of chat templates that have names. */
  templates(): Promise<readonly string[]>;
  /**
   * Lists what belongs to a model beside weights and config.json, sorted, templates last.
   * @throws FormatError when something other than a file has such a name
   */
  sidecars(): Promise<readonly string[]>;
  /** Returns the SHA-256 of a file, in lower-case hexadecimal. @throws FormatError */
  hash(name: string): Promise<string>;
  /** Writes a file's contents to a path that must not exist yet, durably. @throws FormatError */
  copy(name: string, to: string): Promise<void>;
  /** Paths on the disk that config.json and the sidecars are read from, weight files apart. */
  sources(): Promise<readonly string[]>;
  /** What a user should know of the files, a line each. */
  notices(): Promise<readonly string[]>;
}

/** Folder of the chat templates that have names. */
export const templatesFolder = "additional_chat_templates";

/**
 * Reads a JSON object of a model's files; null where there is no such file.
 * @throws FormatError when it is something else
 */
export async function readModelRecord(files: ModelFiles, name: string): Promise<JsonRecord | null> {
  const value = await files.json(name);
  if (value === undefined) return null;
  if (isJsonRecord(value)) return value;
  throw new FormatError(`${name}: expected a JSON object`, {
    hint: `download ${files.label(name)} again`,
  });
}
