import { type Checkpoint, type DirectoryOptions, openCheckpoint } from "../formats/checkpoint.ts";
import { DirectoryFiles } from "../formats/directory-files.ts";
import { isGgufPath, openGgufCheckpoint } from "../formats/gguf/gguf-checkpoint.ts";
import { importForeign } from "../formats/foreign/import-foreign.ts";
import { qatGrid } from "../formats/foreign/qat-grid.ts";
import type { ModelFiles } from "../formats/model-files.ts";
import { describeLinears, storedForms } from "../models/decoder-tensors.ts";
import { ggufFamilies, readModelConfig } from "../models/index.ts";
import { status } from "../platform/node.ts";
import { parseScheme } from "../quant/scheme.ts";
import { readGgufTokenizer } from "../tokenizers/gguf/read-gguf-tokenizer.ts";

/** How a checkpoint is seen: of a directory its files, of packed weights their values. */
export interface CheckpointOptions extends Pick<DirectoryOptions, "allFiles"> {
  /**
   * Whether packed weights of another program's files are decoded to float32 when they are read, to
   * stand for an original; default false. Those that fewbit packed never are.
   */
  readonly decoded?: boolean | undefined;
  /**
   * Scheme on whose grid the float weights of linear layers were trained: their scales are recovered
   * and they are packed. Of directories only.
   */
  readonly fromQat?: string | undefined;
}

/**
 * Opens a checkpoint: a directory, or a GGUF file, of which any part may be named.
 * @throws FormatError when files are missing, truncated or malformed
 * @throws UnsupportedError for models and types that are not read
 */
export async function openAnyCheckpoint(
  path: string,
  { decoded = false, fromQat, ...options }: CheckpointOptions = {},
): Promise<Checkpoint> {
  if (!(await isGgufFile(path))) return openDirectory(path, { decoded, fromQat }, options);
  return openGgufCheckpoint(path, {
    families: ggufFamilies,
    readTokenizer: readGgufTokenizer,
    readConfig: (json) => {
      const decoder = readModelConfig(json);
      return { decoder, forms: storedForms(decoder) };
    },
    decoded,
  });
}

async function openDirectory(
  path: string,
  { decoded = false, fromQat }: Pick<CheckpointOptions, "decoded" | "fromQat">,
  options: DirectoryOptions,
): Promise<Checkpoint> {
  const opened = await openCheckpoint(path, options);
  try {
    if (fromQat === undefined) return await importForeign(opened, decoded);
    const decoder = readModelConfig(opened.config, opened.tensors.keys());
    const linears = describeLinears(decoder).map(({ module }) => module);
    return await importForeign(opened, decoded, [qatGrid(parseScheme(fromQat), linears)]);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/**
 * Finds the small files of a model: of a directory, which need not have weights, or of a GGUF file.
 * @throws FormatError UnsupportedError as `openAnyCheckpoint` for a GGUF file
 */
export async function openModelFiles(path: string): Promise<ModelFiles> {
  if (!(await isGgufFile(path))) return new DirectoryFiles(path);
  const checkpoint = await openAnyCheckpoint(path);
  await checkpoint.close();
  return checkpoint.files;
}

async function isGgufFile(path: string): Promise<boolean> {
  return isGgufPath(path) && (await status(path))?.kind !== "directory";
}
