import { openCheckpoint } from "../formats/checkpoint.ts";
import { DirectoryFiles } from "../formats/directory-files.ts";
import { readJsonObject } from "../formats/json-file.ts";
import { readModelRecord } from "../formats/model-files.ts";
import { readQuantizationConfig } from "../formats/quantization-config.ts";
import { readModelConfig } from "../models/index.ts";
import { status } from "../platform/node.ts";
import { openAnyCheckpoint } from "../runtime/open-checkpoint.ts";
import { FormatError } from "../util/errors.ts";
import type { JsonRecord } from "../util/json.ts";
import { type ModelShape, shapeOf } from "./model-shape.ts";
import type { FloatStorage } from "./storage.ts";

/** What a configuration says of a model. */
export interface DescribedModel {
  readonly shape: ModelShape;
  /** The same with the schemes that its matrices are stored in; null where it is of floats. */
  readonly packed: ModelShape | null;
  /** What its floats are stored as. */
  readonly floats: FloatStorage;
}

/**
 * Reads what a model is from its configuration: of a `config.json` or a directory with one, or the
 * metadata of a GGUF file. No weights are read, nor need there be any.
 * @throws FormatError when it is missing, or a field that is needed is; the message names it
 * @throws UnsupportedError for models that fewbit cannot run
 */
export async function readDescribedModel(path: string): Promise<DescribedModel> {
  const json = await readConfig(path);
  const config = readModelConfig(json);
  const modules = readQuantizationConfig(json)?.modules;
  const storageOf = (module: string): string | null => modules?.get(module)?.scheme.id ?? null;
  return {
    shape: shapeOf(config),
    packed: modules && modules.size > 0 ? shapeOf(config, storageOf) : null,
    floats: floatsOf(json),
  };
}

async function readConfig(path: string): Promise<JsonRecord> {
  const found = await status(path);
  if (found?.kind === "directory") {
    const record = await readModelRecord(new DirectoryFiles(path), "config.json");
    // Opening it says what the directory holds in the place of a configuration.
    return record ?? (await openCheckpoint(path)).config;
  }
  if (/\.gguf$/i.test(path)) {
    const checkpoint = await openAnyCheckpoint(path);
    await checkpoint.close();
    return checkpoint.config;
  }
  if (found !== null && !/\.json$/i.test(path)) {
    throw new FormatError(`${path} is no directory, GGUF file or config.json`, {
      hint: "name one of these, or hf:owner/name",
    });
  }
  return readJsonObject(path);
}

/** The dtype that a configuration states; bfloat16 where it states none that weights have. */
export function floatsOf({
  dtype,
  torch_dtype: torch,
  text_config: text,
}: JsonRecord): FloatStorage {
  const within = text as JsonRecord | undefined;
  const stated = dtype ?? torch ?? within?.dtype ?? within?.torch_dtype;
  if (stated === "float32") return "f32";
  return stated === "float16" ? "f16" : "bf16";
}
